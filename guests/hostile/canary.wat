;; Looks for what another sandbox left behind, says `clean` or `DIRTY`, and leaves something itself:
;; in memory from 1 MiB to 64 MiB, in a global, and in a table. With a `t` on stdin it then traps.
(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1024)
  (global $global (mut i64) (i64.const 0))
  (table $table 1 funcref)
  (elem declare func $leave)
  (data (i32.const 0) "\40\00\00\00\06\00\00\00")   ;; iovec: `clean`
  (data (i32.const 8) "\48\00\00\00\06\00\00\00")   ;; iovec: `DIRTY`
  (data (i32.const 16) "\50\00\00\00\01\00\00\00")  ;; iovec: one byte of stdin, to 80
  (data (i32.const 64) "clean\n")
  (data (i32.const 72) "DIRTY\n")

  (func (export "handle_request") (result i32)
    (drop (call $fd_write (i32.const 1)
      (select (i32.const 0) (i32.const 8) (call $is_clean))
      (i32.const 1) (i32.const 32)))
    (call $leave)
    (drop (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 32)))
    (if (i32.eq (i32.load8_u (i32.const 80)) (i32.const 0x74)) (then unreachable))
    (i32.const 0))

  ;; Looks at one word of each 4 KiB: whoever leaves something here fills whole pages.
  (func $is_clean (result i32)
    (local $at i32)
    (local $found i64)
    (local.set $found (global.get $global))
    (local.set $at (i32.const 0x100000))
    (loop $each
      (local.set $found (i64.or (local.get $found) (i64.load (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 4096)))
      (br_if $each (i32.lt_u (local.get $at) (i32.const 0x4000000))))
    (i32.and
      (i64.eqz (local.get $found))
      (ref.is_null (table.get $table (i32.const 0)))))

  (func $leave
    (memory.fill (i32.const 0x100000) (i32.const 0xa5) (i32.const 0x3f00000))
    (global.set $global (i64.const 0xa5a5))
    (table.set $table (i32.const 0) (ref.func $leave))))
