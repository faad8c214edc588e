;; Logs what would forge log lines or drive a terminal: escape codes, line ends, NUL, JSON, bad UTF-8.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\20\00\00\00\82\00\00\00") ;; one iovec: 130 bytes at 32
  (data (i32.const 8) "\10\01\00\00\03\00\00\00") ;; one iovec: 3 bytes at 272
  (data (i32.const 32)
    "\1b[2J\1b[1;31mred\1b[0m\1b]0;title\07\n"
    "a\r\nb\00c\08\7f\n"
    "{\"level\":\"error\",\"message\":\"forged\"}\n"
    "\",\"outcome\":\"done\",\"x\":\"\n"
    "\ff\fe\c3(\n"
    "\e2\80\aeright to left\e2\80\a8\c2\9b31m\n")
  (data (i32.const 272) "ok\n")

  (func (export "handle_request") (result i32)
    (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))
    (drop (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16)))
    (i32.const 0)))
