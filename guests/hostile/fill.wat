;; Spends its time in single instructions that each write 1 GiB.
(module
  (memory (export "memory") 16384)
  (func (export "_start")
    (loop $again
      (memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 0x40000000))
      (br $again))))
