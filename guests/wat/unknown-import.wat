;; A command that imports what no dialect has.
(module
  (import "env" "missing" (func $missing (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $missing (i32.const 1)))))
