;; Waits for a million clocks in one call: how much does the host allocate for it?
(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  ;; A million subscriptions of 48 bytes at 64 KiB, and behind them a million events of 32 bytes.
  (memory (export "memory") 1223)
  (global $subscriptions i32 (i32.const 65536))
  (global $events i32 (i32.const 48065536))
  (global $count i32 (i32.const 1000000))

  (func (export "_start")
    (local $at i32)
    (local.set $at (global.get $subscriptions))
    (loop $each ;; a monotonic clock, a relative timeout of u64::MAX
      (i32.store offset=16 (local.get $at) (i32.const 1))
      (i64.store offset=24 (local.get $at) (i64.const -1))
      (local.set $at (i32.add (local.get $at) (i32.const 48)))
      (br_if $each (i32.lt_u (local.get $at) (global.get $events))))
    (drop (call $poll_oneoff
      (global.get $subscriptions) (global.get $events) (global.get $count) (i32.const 0)))))
