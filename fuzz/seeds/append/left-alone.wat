(module
  (memory 1) (table 1 funcref)
  (global $g (mut i32) (i32.const 0))
  (func $start (global.set $g (i32.const 1))) (start $start)
  (func (export "f") (table.set (i32.const 0) (ref.null func))))
