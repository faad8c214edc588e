;; Never ends instantiating: the loop is in the start section, before any export can be called.
(module
  (memory (export "memory") 1)
  (func $init
    (loop $forever (br $forever)))
  (start $init)
  (func (export "_start")))
