;; A function that fails: its client must see neither its number nor what it wrote to stderr.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\0e\00\00\00") ;; one iovec: 14 bytes at 16
  (data (i32.const 16) "secret detail\n")

  (func (export "handle_request") (result i32)
    (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.const 3)))
