;; Grows a table, and asks again for ever once it is refused.
(module
  (memory (export "memory") 1)
  (table $table 0 funcref)
  (func (export "_start")
    (loop $more
      (drop (table.grow $table (ref.null func) (i32.const 100000)))
      (br $more))))
