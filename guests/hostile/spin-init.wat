;; Never ends its `_initialize`, which a host calls before the function it came for.
(module
  (memory (export "memory") 1)
  (func (export "_initialize")
    (loop $forever (br $forever)))
  (func (export "handle_request") (result i32)
    (i32.const 0)))
