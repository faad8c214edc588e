;; Asks for 2^40 random bytes in one call: does the host allocate them before it asks where they go?
(component
  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))

  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $memory))
  (core func $random_bytes (canon lower (func $random "get-random-bytes")
    (memory $memory "memory") (realloc (func $memory "realloc"))))

  (core module $module
    (import "host" "random" (func $random (param i64 i32)))
    (func (export "run") (result i32)
      (call $random (i64.const 0x10000000000) (i32.const 16))
      (i32.const 0)))
  (core instance $instance (instantiate $module
    (with "host" (instance (export "random" (func $random_bytes))))))

  (func $run (result (result)) (canon lift (core func $instance "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
