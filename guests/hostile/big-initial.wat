;; Asks for 4 GiB of memory before it runs.
(module
  (memory (export "memory") 65536)
  (func (export "_start")))
