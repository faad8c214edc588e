"""Measures what a call of a plugin costs a host in Python, by Sandbar's package and by Extism's: `cargo xtask bench plugin` runs it.

    plugin.py GUEST

Rounds of the two alternate. Prints one JSON object a line: the name of a figure, its median and unit.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import extism
import sandbar

ROUNDS = 9


def each_ns(does, count):
    start = time.perf_counter_ns()
    for _ in range(count):
        does()
    return (time.perf_counter_ns() - start) / count


def compare(name, by_us, by_them, count):
    each_ns(by_us, count // 4 + 1)
    each_ns(by_them, count // 4 + 1)
    us, them = [], []
    for _ in range(ROUNDS):
        us.append(each_ns(by_us, count))
        them.append(each_ns(by_them, count))
    for figure, medians in ((f"python-{name}", us), (f"python-{name}-extism", them)):
        print(json.dumps({"name": figure, "median": statistics.median(medians), "unit": "ns"}))


def main():
    guest = Path(sys.argv[1])
    wasm = guest.read_bytes()
    ours = sandbar.Plugin(wasm, grants={"random": True})
    theirs = extism.Plugin(wasm, wasi=True)
    small, big = b"hello world", b"hello, world " * 5041
    assert bytes(ours.call_bytes("count_vowels", small)) == bytes(theirs.call("count_vowels", small)) == b'{"count":3}'
    assert bytes(ours.call_bytes("echo", big)) == bytes(theirs.call("echo", big)) == big
    compare(
        "small",
        lambda: ours.call_bytes("count_vowels", small),
        lambda: theirs.call("count_vowels", small),
        2000,
    )
    compare("echo-64k", lambda: ours.call_bytes("echo", big), lambda: theirs.call("echo", big), 300)
    compare(
        "create",
        lambda: sandbar.Plugin(wasm, grants={"random": True}).close(),
        lambda: extism.Plugin(wasm, wasi=True),
        30,
    )


main()
