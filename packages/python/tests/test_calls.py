"""Calls: values, bytes, receipts, attributes, exceptions by outcome."""

from __future__ import annotations

import array
import copy
import dataclasses
import enum
import gc
import json
import math
import pathlib
import pickle
import unittest

import guests
import sandbar

USERS = {"users": [{"name": "Ada", "age": 36}, {"name": "Tim", "age": 19}]}


@dataclasses.dataclass
class User:
    name: str
    age: int


class Color(enum.Enum):
    RED = "red"


class Values(unittest.TestCase):
    def test_a_function_over_stdin_takes_and_gives_json(self) -> None:
        with sandbar.Plugin(guests.USERS) as plugin:
            expected = {"filtered_users": [{"name": "Ada", "age": 36}], "processed_count": 2}
            self.assertEqual(plugin.transform_data(USERS), expected)
            self.assertEqual(plugin.call("transform_data", USERS), expected)
            self.assertEqual(plugin.transform_data({"users": (User("Ada", 36), User("Tim", 19))}), expected)
            with self.assertRaisesRegex(TypeError, "takes one value"):
                plugin.transform_data(1, 2)

    def test_typed_exports_take_several_arguments_and_dashes_are_underscores(self) -> None:
        with sandbar.Plugin(guests.SENSOR) as plugin:
            self.assertEqual(plugin.calculate_average([20, 22, 27]), 23)
            self.assertEqual(plugin.validate_sensor_reading(42), 42)
        with sandbar.Plugin(guests.SPIN) as plugin:
            self.assertEqual(plugin.add_one(41), 42)
            self.assertEqual(plugin.call("add-one", 41), 42)
            self.assertEqual(plugin.add_one.__name__, "add-one")
            self.assertIn("add_one", dir(plugin))
            self.assertIn("add-one", plugin.exports)
            with self.assertRaises(AttributeError):
                plugin.nothing
            with self.assertRaises(sandbar.Refused) as caught:
                plugin.call("nothing")
            self.assertIsNone(caught.exception.receipt)

    def test_state_stays_between_calls_and_results_are_what_they_are_said_to_be(self) -> None:
        options = {"sandbox": "fresh", "state": "1KiB", "results": {"greet": "text"}}
        with sandbar.Plugin(guests.WAT / "keeps.wat", **options) as plugin:
            self.assertEqual([plugin.count(2), plugin.count(3), plugin.greet(0)], [2, 5, "hello"])

    def test_sources_are_paths_and_bytes(self) -> None:
        path = str(guests.SENSOR)
        data = guests.SENSOR.read_bytes()
        for source in (path, pathlib.Path(path), data, bytearray(data), memoryview(data)):
            with sandbar.Plugin(source, name="sensor") as plugin:
                self.assertEqual(plugin.validate_sensor_reading(42), 42)
                self.assertEqual(plugin.name, "sensor")
                self.assertRegex(plugin.digest, "^sha256:[0-9a-f]{64}$")

    def test_values_get_across_as_they_are(self) -> None:
        source = guests.REPOSITORY / "guests" / "target" / "sandbar" / "types.wasm"
        with sandbar.Plugin(source) as plugin:
            self.assertGreater(len(plugin.exports), 5)
        deep: list[object] = []
        for _ in range(200):
            deep = [deep]
        for value, error in (
            (math.nan, ValueError), ({1: 2}, TypeError), (object(), TypeError), ("\ud800", UnicodeEncodeError), (deep, RecursionError),
        ):
            with self.subTest(value=type(value)), sandbar.Plugin(guests.SENSOR) as plugin, self.assertRaises(error):
                plugin.call("validate_sensor_reading", value)

    def test_an_answer_that_is_no_json_says_so(self) -> None:
        source = b"""(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (data (i32.const 0) "\\10\\00\\00\\00\\05\\00\\00\\00") (data (i32.const 16) "hello")
            (func (export "say") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
        with sandbar.Plugin(source) as plugin:
            self.assertEqual(plugin.call_bytes("say"), b"hello")
            with self.assertRaisesRegex(sandbar.AnswerError, "call_bytes"):
                plugin.say()

    def test_what_is_called_with_a_wrong_value_is_refused_and_goes_on(self) -> None:
        with sandbar.Plugin(guests.SENSOR) as plugin:
            for value in ("text", 1 << 70, 1.5, None, Color.RED):
                with self.subTest(value=value), self.assertRaises(sandbar.Refused):
                    plugin.validate_sensor_reading(value)
            self.assertEqual(plugin.validate_sensor_reading(42), 42)


class Bytes(unittest.TestCase):
    def test_any_buffer_goes_in_and_a_view_comes_out(self) -> None:
        text = json.dumps(USERS).encode()
        with sandbar.Plugin(guests.USERS) as plugin:
            expected = plugin.call_bytes("transform_data", text)
            self.assertIsInstance(expected, memoryview)
            self.assertTrue(expected.readonly)
            self.assertEqual(json.loads(bytes(expected))["processed_count"], 2)
            for data in (bytearray(text), memoryview(text), memoryview(bytearray(text)), array.array("B", text)):
                self.assertEqual(plugin.call_bytes("transform_data", data), expected)
            with self.assertRaises(BufferError):
                plugin.call_bytes("transform_data", memoryview(text * 2)[::2])
            with self.assertRaises(TypeError):
                plugin.call_bytes("transform_data", "text")
        # The bytes outlive the plugin.
        self.assertEqual(json.loads(bytes(expected[:])), {"filtered_users": [{"name": "Ada", "age": 36}], "processed_count": 2})

    def test_large_input_is_let_go_of_afterwards(self) -> None:
        import sys

        users = json.dumps({"users": [{"name": "x" * 1000, "age": 20}] * 200}).encode()
        with sandbar.Plugin(guests.USERS) as plugin:
            before = sys.getrefcount(users)
            for _ in range(5):
                plugin.call_bytes("transform_data", users)
            self.assertEqual(sys.getrefcount(users), before)

    def test_typed_exports_refuse_bytes(self) -> None:
        with sandbar.Plugin(guests.SENSOR) as plugin, self.assertRaises(sandbar.Refused):
            plugin.call_bytes("validate_sensor_reading", b"42")


class Receipts(unittest.TestCase):
    def test_each_call_has_one(self) -> None:
        receipts: list[sandbar.Receipt] = []
        with sandbar.Plugin(guests.USERS, on_receipt=receipts.append) as plugin:
            answer, receipt = plugin.call_with_receipt("transform_data", USERS)
            self.assertEqual(answer["processed_count"], 2)
            self.assertEqual(plugin.transform_data(USERS, receipt=True)[0], answer)
            plugin.transform_data(USERS)
        self.assertEqual([receipt.outcome for receipt in receipts], ["done"] * 3)
        self.assertEqual(receipts[0].call, receipt.call)
        self.assertEqual(receipt.guest, "users")
        self.assertGreater(receipt.used["output_bytes"], 10)
        self.assertEqual(receipt["outcome"], {"kind": "done"})
        self.assertEqual(json.loads(receipt.to_json()), receipt.to_dict())
        self.assertEqual(receipt.denials, [])
        with self.assertRaises(KeyError):
            receipt["nothing"]


class Ends(unittest.TestCase):
    def test_each_outcome_has_an_exception(self) -> None:
        with sandbar.Plugin(guests.SPIN, limits={"wall": "50ms"}) as plugin:
            with self.assertRaises(sandbar.TimedOut) as stopped:
                plugin.spin()
            self.assertEqual((stopped.exception.outcome, stopped.exception.limit), ("stopped", "wall"))
            self.assertIsInstance(stopped.exception, TimeoutError)
            self.assertEqual(stopped.exception.receipt.outcome, "stopped")
            with self.assertRaises(sandbar.Trapped) as trapped:
                plugin.inner()
            self.assertIn("wasm", trapped.exception.backtrace)
            self.assertIn("unreachable", str(trapped.exception))
            self.assertEqual(plugin.add_one(1), 2)
        fails = b'(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)' \
            b' (func (export "fail") (call $exit (i32.const 3))))'
        with sandbar.Plugin(fails) as plugin:
            with self.assertRaises(sandbar.Failed) as failed:
                plugin.call("fail")
            self.assertEqual(failed.exception.code, 3)
            # It can be pickled, as what a pool of processes raises must be.
            again = pickle.loads(pickle.dumps(failed.exception))
            self.assertEqual((type(again), again.code, str(again)), (sandbar.Failed, 3, str(failed.exception)))

    def test_a_timeout_is_the_call_s_own(self) -> None:
        for sandbox in ("held", "fresh", {"reuse": 10}):
            with self.subTest(sandbox=sandbox), sandbar.Plugin(guests.SPIN, sandbox=sandbox) as plugin:
                with self.assertRaises(sandbar.TimedOut):
                    plugin.spin(timeout=0.05)
                self.assertEqual(plugin.add_one(1, timeout=10), 2)
        with sandbar.Plugin(guests.SPIN) as plugin:
            for wrong in (-1, math.nan, math.inf):
                with self.assertRaises(ValueError):
                    plugin.spin(timeout=wrong)

    def test_what_can_not_be_loaded_says_why(self) -> None:
        for source, options in (
            (b"no plugin", {}),
            ("/nowhere/plugin.wasm", {}),
            (b'(module (import "env" "f" (func)))', {}),
            (guests.USERS, {"grants": {"nothing": ["here"]}}),
        ):
            with self.subTest(source=source), self.assertRaises(sandbar.LoadError) as caught:
                sandbar.Plugin(source, **options)
            self.assertTrue(str(caught.exception))
        with self.assertRaisesRegex(sandbar.OptionError, "did you mean `memory`"):
            sandbar.Plugin(guests.USERS, limits={"memori": 1})
        with self.assertRaises(TypeError):
            sandbar.Plugin(guests.USERS, limit={})

    def test_a_closed_plugin_is_closed(self) -> None:
        plugin = sandbar.Plugin(guests.SENSOR)
        average = plugin.calculate_average
        plugin.close()
        plugin.close()
        self.assertTrue(plugin.closed)
        for call in (lambda: average([1]), lambda: plugin.exports, lambda: plugin.calculate_average):
            with self.assertRaisesRegex(sandbar.SandbarError, "closed"):
                call()

    def test_plugins_are_neither_pickled_nor_copied(self) -> None:
        with sandbar.Plugin(guests.SENSOR) as plugin:
            for use in (pickle.dumps, copy.copy, copy.deepcopy):
                with self.assertRaisesRegex(TypeError, "can't be pickled"):
                    use(plugin)

    def test_a_plugin_whose_functions_know_it_is_collected(self) -> None:
        import weakref

        class Owner:
            def __init__(self) -> None:
                functions = sandbar.Functions()
                functions.add("env", "f", self.f, form="(i32) -> i32")
                self.plugin = sandbar.Plugin(guests.CALLS, functions=functions)

            def f(self, number: int) -> int:
                return number + 1

        owner = Owner()
        self.assertEqual(owner.plugin.once(1), 2)
        gone = weakref.ref(owner)
        del owner
        gc.collect()
        self.assertIsNone(gone())


if __name__ == "__main__":
    unittest.main()
