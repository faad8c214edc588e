"""Functions of the host."""

from __future__ import annotations

import logging
import threading
import traceback
import unittest

import guests
import sandbar
from sandbar import Call, f64, i32


def give(function: object, form: str | None = None) -> sandbar.Functions:
    functions = sandbar.Functions()
    functions.add("env", "f", function, form=form)  # type: ignore[arg-type]
    return functions


class HostFunctions(unittest.TestCase):
    def test_annotations_are_the_form(self) -> None:
        heard: list[object] = []
        functions = sandbar.Functions()

        @functions.function("env")
        def host_log(level: i32, message: str) -> None:
            heard.append((level, message))

        with sandbar.Plugin(guests.SPEAKS, functions=functions) as plugin:
            self.assertEqual(plugin.speak(3), 3)
            with self.assertRaises(sandbar.Fault) as caught:
                plugin.lie()
            self.assertIn("its memory", str(caught.exception))
        self.assertEqual(heard, [(3, "grüß dich")])

    def test_forms_and_functions_without_one(self) -> None:
        @sandbar.host_fn("(u32) -> u32")
        def unsigned(number):  # type: ignore[no-untyped-def]
            return 0xFFFF_FFFF - number

        def plain(number):  # type: ignore[no-untyped-def]
            return number + 1

        with sandbar.Plugin(guests.CALLS, functions=give(unsigned)) as plugin:
            self.assertEqual(plugin.once(0), -1)
        with sandbar.Plugin(guests.CALLS, functions=give(plain)) as plugin:
            self.assertEqual(plugin.once(-5), -4)
        with sandbar.Plugin(guests.CALLS, functions={"env": {"f": abs}}) as plugin:
            self.assertEqual(plugin.once(-5), 5)
        with self.assertRaisesRegex(sandbar.LoadError, "the guest expects"):
            sandbar.Plugin(guests.CALLS, functions=give(plain, "(i64) -> f64"))
        with self.assertRaisesRegex(ValueError, "unknown type"):
            sandbar.Plugin(guests.CALLS, functions=give(plain, "(i33)"))
        with self.assertRaisesRegex(TypeError, "can be called"):
            sandbar.Functions().add("env", "f", 7)  # type: ignore[arg-type]

    def test_wrong_results_end_the_call(self) -> None:
        for gives in (None, "text", 1 << 40, object(), 1 << 90, 0.5):
            with self.subTest(gives=gives), sandbar.Plugin(guests.CALLS, functions=give(lambda _: gives, "(i32) -> i32")) as plugin:
                with self.assertRaises(sandbar.Fault):
                    plugin.once(1)

    def test_an_exception_is_the_cause_with_its_traceback(self) -> None:
        def breaks(number: i32) -> i32:
            raise KeyError(f"number {number}")

        for form in (None, "(i32) -> i32"):
            for sandbox in ("held", "fresh", {"reuse": 5}):
                with self.subTest(form=form, sandbox=sandbox):
                    with sandbar.Plugin(guests.CALLS, functions=give(breaks, form), sandbox=sandbox) as plugin:
                        with self.assertRaises(sandbar.Fault) as caught:
                            plugin.once(7)
                        cause = caught.exception.__cause__
                        self.assertIsInstance(cause, KeyError)
                        self.assertIn("breaks", "".join(traceback.format_exception(cause)))
                        self.assertIn("number 7", str(caught.exception))
                        self.assertNotIn("number 7", caught.exception.receipt.to_json())
        unannotated = give(lambda number: 1 // 0)
        with sandbar.Plugin(guests.CALLS, functions=unannotated) as plugin, self.assertRaises(sandbar.Fault) as caught:
            plugin.once(7)
        self.assertIsInstance(caught.exception.__cause__, ZeroDivisionError)

    def test_start_code_that_calls_a_function_that_raises(self) -> None:
        source = b'(module (import "env" "f" (func $f)) (func $start (call $f)) (start $start) (func (export "x") (param i32)))'

        def breaks() -> None:
            raise KeyError("at the start")

        with self.assertRaises(sandbar.LoadError) as caught:
            sandbar.Plugin(source, functions=give(breaks))
        self.assertIsInstance(caught.exception.__cause__, KeyError)
        calls: list[int] = []
        with sandbar.Plugin(source, functions=give(lambda: calls.append(1), "()")):
            self.assertEqual(calls, [1])

    def test_a_function_may_refuse(self) -> None:
        def denies(number: i32) -> i32:
            raise sandbar.Denied(f"user {number}")

        with sandbar.Plugin(guests.CALLS, functions=give(denies)) as plugin, self.assertRaises(sandbar.Refused) as caught:
            plugin.once(7)
        self.assertEqual(caught.exception.asked, "user 7")
        self.assertEqual(caught.exception.receipt.denials[0]["asked"], "user 7")

    def test_the_call_tells_of_itself(self) -> None:
        seen: list[Call] = []
        said: list[sandbar.LogRecord] = []

        def f(call: Call, number: i32) -> i32:
            seen.append(call)
            call.log("warn", f"{call.context} asks")
            self.assertGreater(call.seconds_left or 0, 1)
            return number + int(call.context)

        with sandbar.Plugin(guests.CALLS, functions=give(f), name="asks", log=said.append) as plugin:
            answer, receipt = plugin.once(2, context=40, receipt=True)
        self.assertEqual(answer, 42)
        self.assertEqual((seen[0].id, seen[0].guest), (receipt.call, "asks"))
        self.assertEqual(said, [sandbar.LogRecord("warn", "asks", receipt.call, "40 asks")])

    def test_functions_run_on_the_thread_that_calls(self) -> None:
        threads: list[int] = []

        def f(number: i32) -> i32:
            threads.append(threading.get_ident())
            return number

        for sandbox in ("held", "fresh", {"reuse": 5}):
            with sandbar.Plugin(guests.CALLS, functions=give(f), sandbox=sandbox) as plugin:
                self.assertEqual(plugin.storm(50), 1)
        self.assertEqual(set(threads), {threading.get_ident()})

    def test_deep_recursion_in_a_function_is_python_s_own_error(self) -> None:
        import json

        def f(number: i32) -> i32:
            return len(json.loads("[" * 100_000))

        with sandbar.Plugin(guests.CALLS, functions=give(f)) as plugin, self.assertRaises(sandbar.Fault) as caught:
            plugin.once(1)
        self.assertIsInstance(caught.exception.__cause__, RecursionError)

    def test_plugins_call_each_other_and_end_with_each_other(self) -> None:
        with sandbar.Plugin(guests.SPIN) as inner:
            with sandbar.Plugin(guests.CALLS, functions=give(lambda n: inner.add_one(n), "(i32) -> i32")) as outer:
                self.assertEqual(outer.once(1), 2)
            with sandbar.Plugin(guests.CALLS, functions=give(lambda n: inner.spin(), "(i32) -> i32")) as outer:
                with self.assertRaises((sandbar.Fault, sandbar.TimedOut)):
                    outer.once(1, timeout=0.1)
                cancel = sandbar.Cancel()
                threading.Timer(0.05, cancel.cancel).start()
                with self.assertRaises((sandbar.Fault, sandbar.Cancelled)):
                    outer.once(1, cancel=cancel)

    def test_logs_go_to_loggers(self) -> None:
        source = b"""(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (data (i32.const 0) "\\10\\00\\00\\00\\06\\00\\00\\00") (data (i32.const 16) "hello\\n")
            (func (export "say") (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
        with self.assertLogs("plugins", logging.INFO) as logs:
            with sandbar.Plugin(source, name="speaks", log=logging.getLogger("plugins")) as plugin:
                plugin.call_bytes("say")
        self.assertIn("speaks: hello", logs.output[0])

    def test_floats(self) -> None:
        source = b"""(module (import "env" "f" (func $f (param f64) (result f64)))
            (func (export "half") (param f64) (result f64) (call $f (local.get 0))))"""

        def f(number: f64) -> f64:
            return number / 2

        with sandbar.Plugin(source, functions=give(f)) as plugin:
            self.assertEqual(plugin.half(5), 2.5)

    def test_blocks_of_extism_plugins_go_both_ways(self) -> None:
        path = guests.REPOSITORY / "guests" / "target" / "sandbar" / "extism.wasm"

        def greeting(name: sandbar.block) -> sandbar.block:
            return b"hello, " + name

        functions = {"extism:host/user": {"greeting": greeting}}
        with sandbar.Plugin(path, functions=functions, config={"color": "red"}) as plugin:
            self.assertEqual(plugin.call_bytes("greet", b"Ada"), b"hello, Ada!")
            self.assertEqual(plugin.call_bytes("configured", b"color"), b"red")
            self.assertEqual(plugin.count_vowels("hello"), {"count": 2, "total": 2})

    def test_a_manifest_of_extism_says_where_its_plugin_is_and_what_it_may_do(self) -> None:
        path = guests.REPOSITORY / "guests" / "target" / "sandbar" / "extism.wasm"

        def greeting(name: sandbar.block) -> sandbar.block:
            return b"hello, " + name

        functions = {"extism:host/user": {"greeting": greeting}}
        manifest = {"wasm": [{"path": path, "name": "main"}], "config": {"color": "red"}, "timeout_ms": 100}
        with sandbar.Plugin(manifest, functions=functions) as plugin:
            self.assertEqual((plugin.name, plugin.call_bytes("configured", b"color")), ("extism", b"red"))
            with self.assertRaisesRegex(sandbar.Stopped, "wall"):
                plugin.call_bytes("spin")
        bounded = {"wasm": [{"data": path.read_bytes()}], "memory": {"max_var_bytes": 500}}
        with sandbar.Plugin(bounded, functions=functions, config={"color": "blue"}) as plugin:
            self.assertEqual(plugin.call_bytes("configured", b"color"), b"blue")
            with self.assertRaisesRegex(sandbar.PluginError, "at most 500 bytes"):
                plugin.call_bytes("keep", b"1000")
        for wrong, message in [
            ({"wasm": []}, "expected a module under `wasm`"),
            ({"wasm": [{"path": "nowhere.wasm"}]}, "nowhere.wasm"),
            ({"wasm": [{"data": {"ptr": 8, "len": 8}}]}, "expected a string"),
            ({"wasm": [{"path": path}], "timeout": 5}, "unknown field `timeout`"),
        ]:
            with self.assertRaisesRegex(sandbar.LoadError, message):
                sandbar.Plugin(wrong, functions=functions)

    def test_a_component_gives_and_takes_values(self) -> None:
        source = b"""(component
            (import "name-of" (func $name (param "id" u32) (result string)))
            (core module $memory (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
            (core instance $m (instantiate $memory))
            (core func $lowered (canon lower (func $name) (memory $m "memory") (realloc (func $m "realloc"))))
            (core module $main (import "" "name" (func $name (param i32 i32))) (import "" "memory" (memory 1))
                (func (export "greet") (param i32) (result i32) (call $name (local.get 0) (i32.const 16)) (i32.const 16)))
            (core instance $i (instantiate $main (with "" (instance
                (export "name" (func $lowered)) (export "memory" (memory $m "memory"))))))
            (func (export "greet") (param "id" u32) (result string)
                (canon lift (core func $i "greet") (memory $m "memory"))))"""

        def name_of(id: int) -> str:
            return f"user {id}"

        async def name_later(id: int) -> str:
            return f"user {id} later"

        with sandbar.Plugin(source, functions={"": {"name-of": name_of}}) as plugin:
            self.assertEqual(plugin.greet(7), "user 7")
            self.assertEqual(plugin.greet(id=8), "user 8")
        with sandbar.Plugin(source, functions={"": {"name-of": name_later}}) as plugin:
            self.assertEqual(plugin.greet(7), "user 7 later")


if __name__ == "__main__":
    unittest.main()
