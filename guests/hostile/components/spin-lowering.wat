;; Never ends its allocator, which a host calls to place the text that it was asked to pass.
(component
  (core module $module
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (loop $forever (br $forever))
      unreachable)
    (func (export "count") (param $ptr i32) (param $len i32) (result i32)
      (local.get $len)))
  (core instance $instance (instantiate $module))

  (func (export "count") (param "text" string) (result u32)
    (canon lift (core func $instance "count")
      (memory $instance "memory") (realloc (func $instance "realloc")))))
