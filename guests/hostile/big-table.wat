;; Asks for ten million table entries before it runs: the most a valid module may ask for.
(module
  (memory (export "memory") 1)
  (table 10000000 funcref)
  (func (export "_start")))
