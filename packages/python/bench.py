#!/usr/bin/env python3
"""Measures what small calls take: the best of many rounds, since whatever else a machine does only makes them longer."""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Callable

import sandbar

QUICKSTART = pathlib.Path(__file__).resolve().parents[2] / "examples" / "quickstart"
NUMBERS = b"""(module (import "env" "add" (func $add (param i32 i32) (result i32)))
    (func (export "same") (param i32) (result i32) (local.get 0))
    (func (export "nothing"))
    (func (export "add-one") (param i32) (result i32) (call $add (local.get 0) (i32.const 1))))"""
ECHO = b"""(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 20)
    (func (export "echo")
        (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const 1200000))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""


def best_us(call: Callable[[], object], calls: int = 300, rounds: int = 200) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter_ns()
        for _ in range(calls):
            call()
        best = min(best, (time.perf_counter_ns() - start) / calls / 1e3)
    return best


def main() -> None:
    functions = sandbar.Functions()

    @functions.function("env")
    def add(one: sandbar.i32, other: sandbar.i32) -> sandbar.i32:
        return one + other

    numbers = sandbar.Plugin(NUMBERS, functions=functions)
    echo = sandbar.Plugin(ECHO)
    users = sandbar.Plugin(QUICKSTART / "users.wasm")
    value = {"users": [{"name": "Ada", "age": 36}, {"name": "Tim", "age": 19}]}
    text, kib, mib = json.dumps(value).encode(), b"x" * 1024, b"x" * 1_048_576
    for name, call, calls in (
        ("call, an empty function", lambda: numbers.call("nothing"), 300),
        ("call_bytes, echo of 11 bytes", lambda: echo.call_bytes("echo", b"hello world"), 300),
        ("call_bytes, echo of 1 KiB", lambda: echo.call_bytes("echo", kib), 300),
        ("call_bytes, echo of 1 MiB", lambda: echo.call_bytes("echo", mib), 10),
        ("call, echo of a small dict as JSON", lambda: echo.call("echo", value), 300),
        ("call_bytes, users.wasm", lambda: users.call_bytes("transform_data", text), 300),
        ("call, users.wasm, JSON", lambda: users.call("transform_data", value), 300),
        ("as an attribute", lambda: users.transform_data(value), 300),
        ("call, a number in and out", lambda: numbers.call("same", 1), 300),
        ("the same, through a function of the host", lambda: numbers.call("add-one", 1), 300),
        ("json.loads(json.dumps(value)), to compare", lambda: json.loads(json.dumps(value)), 300),
    ):
        print(f"{best_us(call, calls):8.2f} µs  {name}", flush=True)


if __name__ == "__main__":
    main()
