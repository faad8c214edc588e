;; A command that does nothing: what is left is what it costs to start and end one.
(module
  (memory (export "memory") 1)
  (func (export "_start")))
