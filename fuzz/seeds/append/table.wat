(module
  (type $t (func (result i32)))
  (table 4 funcref) (elem (i32.const 1) $f)
  (data "passive")
  (memory 1)
  (global (mut f64) (f64.const 1))
  (func $f (result i32) (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 3)) (call_indirect (type $t) (i32.const 1)))
  (export "f" (func $f)))
