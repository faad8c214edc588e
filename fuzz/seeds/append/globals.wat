(module
  (memory (export "memory") 1 4)
  (global $a (mut i32) (i32.const 7))
  (global $b (mut i64) (i64.add (i64.const 1) (i64.const 2)))
  (global i32 (i32.const 3))
  (global $c (mut v128) (v128.const i32x4 1 2 3 4))
  (data (i32.const 8) "abc")
  (func (export "f") (param i32) (result i32) (global.set $a (local.get 0)) (i32.load (local.get 0)))
  (func (export "_initialize") (global.set $b (i64.const 5))))
