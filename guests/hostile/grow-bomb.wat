;; Takes all the memory it is given, in steps of 16 MiB and then of one page, and touches each page.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (call $grow_by (i32.const 256))
    (call $grow_by (i32.const 1))
    (call $touch))

  (func $grow_by (param $pages i32)
    (loop $more
      (br_if $more (i32.ne (memory.grow (local.get $pages)) (i32.const -1)))))

  (func $touch
    (local $page i32)
    (loop $each
      (i32.store (i32.shl (local.get $page) (i32.const 16)) (i32.const 1))
      (local.set $page (i32.add (local.get $page) (i32.const 1)))
      (br_if $each (i32.lt_u (local.get $page) (memory.size))))))
