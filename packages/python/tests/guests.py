"""Guests of the tests: the examples of this repository, and small ones as text."""

from __future__ import annotations

import os
import pathlib
import time
from typing import Callable

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
QUICKSTART = REPOSITORY / "examples" / "quickstart"
HOSTILE = REPOSITORY / "guests" / "hostile"
WAT = REPOSITORY / "guests" / "wat"
USERS = QUICKSTART / "users.wasm"
SENSOR = QUICKSTART / "sensor.wasm"

#: Ends in no time, or never.
SPIN = b"""(module
    (func (export "spin") (loop (br 0)))
    (func (export "add-one") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func (export "trap") unreachable)
    (func (export "inner") (call 2)))"""

#: Keeps a number, and counts it.
COUNTER = b"""(module (global $n (mut i32) (i32.const 0))
    (func (export "count") (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))"""

#: Grows until it may not.
MEMORY_BOMB = b"""(module (memory (export "memory") 1)
    (func (export "grow") (result i32) (local i32)
        (loop $more
            (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        (memory.size)))"""

#: Calls the host's `f` so often.
CALLS = b"""(module (import "env" "f" (func $f (param i32) (result i32)))
    (func (export "once") (param i32) (result i32) (call $f (local.get 0)))
    (func (export "storm") (param i32) (result i32) (local i32)
        (loop $more
            (local.set 1 (call $f (local.get 0)))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br_if $more (local.get 0)))
        (local.get 1))
    (func (export "forever") (loop $more (drop (call $f (i32.const 1))) (br $more))))"""

#: Calls the host with a text.
SPEAKS = b"""(module (import "env" "host_log" (func $log (param i32 i32 i32)))
    (memory (export "memory") 1) (data (i32.const 8) "gr\\c3\\bc\\c3\\9f dich")
    (func (export "speak") (param i32) (result i32) (call $log (local.get 0) (i32.const 8) (i32.const 11)) (local.get 0))
    (func (export "lie") (call $log (i32.const 1) (i32.const 65530) (i32.const 100))))"""


def version(number: int) -> bytes:
    return f'(module (func (export "version") (result i32) i32.const {number}))'.encode()


def eventually(is_so: Callable[[], bool], seconds: float = 5) -> bool:
    """Whether something is so soon: threads end a little after what they did."""
    until = time.monotonic() + seconds
    while not is_so() and time.monotonic() < until:
        time.sleep(0.01)
    return is_so()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    return len(os.listdir("/proc/self/task"))
