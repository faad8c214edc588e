;; Keeps a sum in the state that its host gives it, and leaves a text in its memory.
(module
    (import "sandbar" "state_get" (func $get (param i32 i32 i32 i32) (result i32)))
    (import "sandbar" "state_set" (func $set (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "calls") (data (i32.const 16) "\20\00\00\00\05\00\00\00") (data (i32.const 32) "hello")
    (func (export "count") (param i32) (result i32)
        (drop (call $get (i32.const 0) (i32.const 5) (i32.const 8) (i32.const 4)))
        (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (local.get 0)))
        (drop (call $set (i32.const 0) (i32.const 5) (i32.const 8) (i32.const 4)))
        (i32.load (i32.const 8)))
    (func (export "greet") (param i32) (result i32) (i32.const 16)))
