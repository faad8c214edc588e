(component
  (core module $first
    (memory (export "memory") 1)
    (global (export "g") (mut i32) (i32.const 1))
    (func (export "f")))
  (core instance $a (instantiate $first))
  (core module $second
    (import "a" "g" (global (mut i32)))
    (global $h (mut i32) (i32.const 2))
    (func (export "look") (result i32) (global.get $h)))
  (core instance $b (instantiate $second (with "a" (instance $a))))
  (func $look (result u32) (canon lift (core func $b "look")))
  (export "look" (func $look)))
