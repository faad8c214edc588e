;; Keeps the handle that it gets, and tells its number.
(component
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $outer_pollable))
    (export "pollable" (type $pollable (eq $outer_pollable)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core module $module
    (import "clock" "subscribe" (func $subscribe (param i64) (result i32)))
    (memory (export "memory") 1)
    (func (export "look") (result i32) (call $subscribe (i64.const 1))))
  (core instance $instance (instantiate $module
    (with "clock" (instance (export "subscribe" (func $subscribe))))))
  (func $look (result u32) (canon lift (core func $instance "look")))
  (export "look" (func $look)))
