;; Gives three handles back in another order than it got them in, so that the list of free ones is 2, 3, 1.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer_pollable))
    (export "pollable" (type $pollable (eq $outer_pollable)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $drop (canon resource.drop $pollable))

  (core module $module
    (import "clock" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "clock" "drop" (func $drop (param i32)))
    (memory (export "memory") 2)
    (data (i32.const 131064) "\00\00\00\00\00\00\00\00")
    (global $calls (mut i32) (i32.const 0))
    (func (export "look") (result i32) (local $a i32) (local $b i32) (local $c i32) (local $before i32)
      (local.set $before (i32.add (global.get $calls) (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 131068)))))
      (global.set $calls (i32.const 1000))
      (i32.store (i32.const 0) (i32.const 2000))
      (i32.store (i32.const 131068) (i32.const 4000))
      (local.set $a (call $subscribe (i64.const 1)))
      (local.set $b (call $subscribe (i64.const 1)))
      (local.set $c (call $subscribe (i64.const 1)))
      (call $drop (local.get $a))
      (call $drop (local.get $c))
      (call $drop (local.get $b))
      (i32.add (local.get $before)
        (i32.add (i32.mul (local.get $a) (i32.const 100)) (i32.add (i32.mul (local.get $b) (i32.const 10)) (local.get $c))))))
  (core instance $instance (instantiate $module
    (with "clock" (instance (export "subscribe" (func $subscribe)) (export "drop" (func $drop))))))
  (func $look (result u32) (canon lift (core func $instance "look")))
  (export "look" (func $look)))
