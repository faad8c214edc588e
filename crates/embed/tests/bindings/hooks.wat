;; A component that hands what it gets to a function of its host, and gives back what that gives.
(component
  (import "acme:log/sink@1.0.0" (instance $sink
    (type $new-entry (record (field "text" string) (field "written-at" u64)))
    (export "entry" (type $entry (eq $new-entry)))
    (export "write" (func (param "entry" $entry) (result (result u64 (error string)))))))
  (alias export $sink "entry" (type $entry))
  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $memory (instantiate $memory))
  (core func $write
    (canon lower (func $sink "write") (memory $memory "memory") (realloc (func $memory "realloc"))))
  (core module $main
    (import "sink" "write" (func $write (param i32 i32 i64 i32)))
    (func (export "forward") (param i32 i32 i64) (result i32)
      (call $write (local.get 0) (local.get 1) (local.get 2) (i32.const 8))
      (i32.const 8)))
  (core instance $main (instantiate $main (with "sink" (instance (export "write" (func $write))))))
  (func (export "forward") (param "entry" $entry) (result (result u64 (error string)))
    (canon lift (core func $main "forward") (memory $memory "memory") (realloc (func $memory "realloc")))))
