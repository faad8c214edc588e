;; Calls itself until the stack ends.
(module
  (memory (export "memory") 1)
  (func $deeper (export "_start")
    (call $deeper)
    (call $deeper))) ;; the second call keeps the first from being a tail call
