;; A command and a function at once: only its manifest can say which one is meant.
(module
  (memory (export "memory") 1)
  (func (export "_start"))
  (func (export "handle_request") (result i32)
    (i32.const 0)))
