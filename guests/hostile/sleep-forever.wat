;; Sleeps for the longest time there is, 584 years: it uses no CPU, only its place.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; One subscription of 48 bytes at 0: a clock (tag 0 at 8), monotonic (1 at 16),
  ;; a relative timeout (u64::MAX at 24).
  (data (i32.const 16) "\01")
  (data (i32.const 24) "\ff\ff\ff\ff\ff\ff\ff\ff")

  (func (export "_start")
    (loop $again
      (drop (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
      (br $again))))
