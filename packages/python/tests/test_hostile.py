"""What plugins do to a host that mean no good, and what hosts do to themselves."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
import time
import unittest

import guests
import sandbar
from sandbar import i32


def give(function: object) -> sandbar.Functions:
    functions = sandbar.Functions()
    functions.add("env", "f", function)  # type: ignore[arg-type]
    return functions


def script(text: str, timeout: float = 60, ignored: int | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a program of its own, which may break, and which ignores a signal from the start."""
    ignore = None if ignored is None else lambda: signal.signal(ignored, signal.SIG_IGN)
    return subprocess.run(
        [sys.executable, "-c", "import sys; sys.path[:0] = " + repr(sys.path) + "\n" + textwrap.dedent(text)],
        capture_output=True, text=True, timeout=timeout, cwd=pathlib.Path(__file__).parent, check=False,
        preexec_fn=ignore,
    )


class Guests(unittest.TestCase):
    def test_start_code_that_loops_fails_to_load_in_time(self) -> None:
        source = b'(module (func $spin (loop (br 0))) (start $spin) (func (export "f") (param i32)))'
        before = time.monotonic()
        with self.assertRaisesRegex(sandbar.LoadError, "start code"):
            sandbar.Plugin(source, limits={"wall": "100ms"})
        self.assertLess(time.monotonic() - before, 5)
        plugin = sandbar.Plugin(source, limits={"wall": "100ms"}, sandbox="fresh")
        with self.assertRaises(sandbar.TimedOut):
            plugin.f(1)

    def test_memory_bombs_get_no_more_than_their_limit(self) -> None:
        for sandbox in ("held", "fresh", {"reuse": 5}):
            with sandbar.Plugin(guests.MEMORY_BOMB, limits={"memory": "16MiB"}, sandbox=sandbox) as plugin:
                for _ in range(3):
                    try:
                        self.assertLessEqual(plugin.grow(), 256)
                    except sandbar.Stopped as stopped:
                        self.assertEqual(stopped.limit, "memory")

    def test_storms_of_host_calls_end_in_time(self) -> None:
        calls = 0

        def f(number: i32) -> i32:
            nonlocal calls
            calls += 1
            return number

        for sandbox in ("held", "fresh", {"reuse": 5}):
            with sandbar.Plugin(guests.CALLS, functions=give(f), sandbox=sandbox) as plugin:
                before = time.monotonic()
                with self.assertRaises(sandbar.TimedOut):
                    plugin.forever(timeout=0.2)
                self.assertLess(time.monotonic() - before, 3)
                self.assertEqual(plugin.once(1), 1)
        self.assertGreater(calls, 1000)

    def test_a_held_plugin_that_is_called_by_its_own_function_is_refused(self) -> None:
        def f(number: i32) -> i32:
            value: int = plugin.once(number)
            return value

        with sandbar.Plugin(guests.CALLS, functions=give(f)) as plugin:
            before = time.monotonic()
            with self.assertRaises(sandbar.Fault) as caught:
                plugin.once(1)
            self.assertIsInstance(caught.exception.__cause__, sandbar.Refused)
            self.assertLess(time.monotonic() - before, 2)

    def test_a_fresh_plugin_that_calls_itself_without_end_ends(self) -> None:
        def f(number: i32) -> i32:
            value: int = plugin.once(number)
            return value

        with sandbar.Plugin(guests.CALLS, functions=give(f), sandbox="fresh", sandboxes_max=8) as plugin:
            with self.assertRaises((sandbar.Fault, sandbar.Refused, sandbar.TimedOut)):
                plugin.once(1, timeout=1)

    def test_calls_are_cancelled_at_any_point(self) -> None:
        def f(number: i32) -> i32:
            return number

        for sandbox in ("held", "fresh"):
            with sandbar.Plugin(guests.CALLS, functions=give(f), sandbox=sandbox) as plugin:
                for step in range(40):
                    cancel = sandbar.Cancel()
                    timer = threading.Timer(step * 0.0005, cancel.cancel)
                    timer.start()
                    with self.assertRaises(sandbar.Cancelled) as caught:
                        plugin.forever(cancel=cancel)
                    timer.join()
                    self.assertTrue(cancel.cancelled)
                    self.assertIn(caught.exception.receipt and caught.exception.receipt.outcome, (None, "cancelled"))
                with self.assertRaises(sandbar.Cancelled):
                    plugin.once(1, cancel=cancel)
                self.assertEqual(plugin.once(1), 1)

    def test_one_cancel_ends_many_calls(self) -> None:
        cancel, ended = sandbar.Cancel(), []

        def spin(plugin: sandbar.Plugin) -> None:
            try:
                plugin.spin(cancel=cancel)
            except sandbar.Cancelled:
                ended.append(1)

        with sandbar.Plugin(guests.SPIN) as held, sandbar.Plugin(guests.SPIN, sandbox="fresh") as fresh:
            threads = [threading.Thread(target=spin, args=(plugin,)) for plugin in (held, held, held, fresh, fresh)]
            for thread in threads:
                thread.start()
            time.sleep(0.1)
            cancel.cancel()
            for thread in threads:
                thread.join(5)
        self.assertEqual(len(ended), 5)

    def test_hostile_guests_of_the_repository(self) -> None:
        for path in sorted(guests.HOSTILE.glob("*.wat")):
            for sandbox in ("held", "fresh"):
                with self.subTest(guest=path.name, sandbox=sandbox):
                    limits = {"wall": "200ms", "memory": "32MiB", "output": "1MiB", "log": "64KiB"}
                    try:
                        plugin = sandbar.Plugin(path, limits=limits, sandbox=sandbox)
                    except sandbar.LoadError:
                        continue
                    for export in plugin.exports:
                        try:
                            plugin.call_bytes(export)
                        except sandbar.PluginError:
                            pass
                    plugin.close()


class Hosts(unittest.TestCase):
    def test_threads_share_a_plugin(self) -> None:
        for sandbox in ("held", "fresh", {"reuse": 50}):
            with self.subTest(sandbox=sandbox), sandbar.Plugin(guests.SPIN, sandbox=sandbox) as plugin:
                wrong: list[object] = []

                def work(start: int) -> None:
                    for number in range(start, start + 200):
                        if plugin.add_one(number) != number + 1:
                            wrong.append(number)

                threads = [threading.Thread(target=work, args=(1000 * index,)) for index in range(8)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                self.assertEqual(wrong, [])

    def test_other_threads_run_while_a_guest_does(self) -> None:
        with sandbar.Plugin(guests.SPIN) as plugin:
            ended = threading.Event()

            def spin() -> None:
                try:
                    plugin.spin(timeout=0.3)
                except sandbar.TimedOut:
                    ended.set()

            thread = threading.Thread(target=spin)
            thread.start()
            turns = 0
            while not ended.is_set() and turns < 10_000_000:
                turns += 1
            thread.join()
        self.assertGreater(turns, 10_000)

    def test_reload_under_load(self) -> None:
        for sandbox in ("held", {"reuse": 20}):
            with self.subTest(sandbox=sandbox), sandbar.Plugin(guests.version(0), sandbox=sandbox) as plugin:
                stop, wrong, seen = threading.Event(), [], set()

                def work() -> None:
                    last = 0
                    while not stop.is_set():
                        try:
                            now = plugin.version()
                        except Exception as error:  # noqa: BLE001
                            wrong.append(error)
                            return
                        if now < last:
                            wrong.append((last, now))
                        last = now
                        seen.add(now)

                threads = [threading.Thread(target=work) for _ in range(4)]
                for thread in threads:
                    thread.start()
                for number in range(1, 30):
                    plugin.replace(guests.version(number))
                    with self.assertRaises(sandbar.LoadError):
                        plugin.replace(b"no plugin")
                stop.set()
                for thread in threads:
                    thread.join()
                self.assertEqual(wrong, [])
                self.assertEqual(plugin.version(), 29)
                self.assertGreater(len(seen), 1)

    def test_nothing_leaks_over_thousands_of_calls(self) -> None:
        def broken(number: i32) -> i32:
            if number % 2:
                raise ValueError("odd")
            return number

        def resident_kib() -> int:
            with open("/proc/self/status") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

        users = b'{"users": [' + b", ".join([b'{"name": "Ada", "age": 36}'] * 100) + b"]}"

        def work(count: int) -> None:
            with sandbar.Plugin(guests.CALLS, functions=give(broken), sandbox="fresh") as calls:
                for number in range(count):
                    try:
                        calls.once(number)
                    except sandbar.Fault:
                        pass
            with sandbar.Plugin(guests.USERS) as plugin:
                for _ in range(count):
                    plugin.call_bytes("transform_data", users)
                    plugin.transform_data({"users": []}, receipt=True, cancel=sandbar.Cancel())

        work(1000)
        descriptors, threads, kib = guests.descriptors(), guests.threads(), resident_kib()
        for _ in range(5):
            work(1000)
        self.assertTrue(guests.eventually(lambda: guests.descriptors() <= descriptors))
        self.assertTrue(guests.eventually(lambda: guests.threads() <= threads))
        self.assertLess(resident_kib() - kib, 16 * 1024)

    def test_loading_again_and_again_leaks_nothing(self) -> None:
        def load() -> None:
            with sandbar.Plugin(guests.SENSOR) as plugin:
                plugin.validate_sensor_reading(42)

        for _ in range(50):
            load()
        descriptors, threads = guests.descriptors(), guests.threads()
        for _ in range(300):
            load()
        self.assertTrue(guests.eventually(lambda: guests.descriptors() <= descriptors))
        self.assertTrue(guests.eventually(lambda: guests.threads() <= threads))

    def test_ctrl_c_ends_a_call_of_the_main_thread(self) -> None:
        for sandbox in ("held", "fresh"):
            with self.subTest(sandbox=sandbox), sandbar.Plugin(guests.SPIN, sandbox=sandbox) as plugin:
                for _ in range(3):
                    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
                    timer.start()
                    before = time.monotonic()
                    with self.assertRaises(KeyboardInterrupt):
                        plugin.spin()
                    timer.join()
                    self.assertLess(time.monotonic() - before, 2)
                self.assertEqual(plugin.add_one(1), 2)

    def test_ctrl_c_in_a_function_and_while_a_call_waits(self) -> None:
        def f(number: i32) -> i32:
            time.sleep(30)
            return number

        with sandbar.Plugin(guests.CALLS, functions=give(f)) as plugin:
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
            with self.assertRaises(KeyboardInterrupt):
                plugin.once(1)
        with sandbar.Plugin(guests.SPIN) as plugin:
            cancel = sandbar.Cancel()

            def spin() -> None:
                with self.assertRaises(sandbar.Cancelled):
                    plugin.spin(cancel=cancel)

            thread = threading.Thread(target=spin)
            thread.start()
            time.sleep(0.05)
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
            with self.assertRaises(KeyboardInterrupt):
                plugin.add_one(1)
            cancel.cancel()
            thread.join()

    def test_a_handler_of_the_program_s_own_is_called(self) -> None:
        seen: list[int] = []
        before = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
        try:
            with sandbar.Plugin(guests.SPIN) as plugin:
                threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
                with self.assertRaises(sandbar.Cancelled):
                    plugin.spin()
        finally:
            signal.signal(signal.SIGINT, before)
        self.assertEqual(seen, [signal.SIGINT])

    def test_ctrl_c_while_a_plugin_loads(self) -> None:
        source = b'(module (func $spin (loop (br 0))) (start $spin) (func (export "f") (param i32)))'
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        before = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            sandbar.Plugin(source, limits={"wall": "3s"})
        self.assertLess(time.monotonic() - before, 2)

    def test_a_forked_process_gets_a_clear_error_and_can_load_anew(self) -> None:
        ran = script("""
            import os, guests, sandbar
            plugin = sandbar.Plugin(guests.SENSOR)
            assert plugin.validate_sensor_reading(42) == 42
            child = os.fork()
            if child == 0:
                try:
                    plugin.validate_sensor_reading(42)
                except sandbar.Refused as refused:
                    assert "forked" in str(refused), refused
                    again = sandbar.Plugin(guests.SENSOR)
                    assert again.validate_sensor_reading(41) == 41
                    again.close()
                    sys.exit(7)
                sys.exit(8)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == 7, status
            assert plugin.validate_sensor_reading(42) == 42
            print("well")
        """)
        self.assertEqual((ran.stdout.strip(), ran.returncode), ("well", 0), ran.stderr)

    def test_forks_while_guests_are_interrupted(self) -> None:
        ran = script("""
            import os, threading, guests, sandbar
            plugin, ends = sandbar.Plugin(guests.SPIN), threading.Event()
            def spin():
                while not ends.is_set():
                    try:
                        plugin.spin(timeout=0.02)
                    except sandbar.TimedOut:
                        pass
            threads = [threading.Thread(target=spin) for _ in range(2)]
            for thread in threads:
                thread.start()
            for _ in range(100):
                child = os.fork()
                if child == 0:
                    # The end of a thread that has run guests, and a host of its own.
                    again = sandbar.Plugin(guests.SENSOR)
                    thread = threading.Thread(target=lambda: again.validate_sensor_reading(41))
                    thread.start()
                    thread.join()
                    os._exit(again.validate_sensor_reading(7))
                _, status = os.waitpid(child, 0)
                assert os.waitstatus_to_exitcode(status) == 7, status
            ends.set()
            for thread in threads:
                thread.join()
            print("well")
        """)
        self.assertEqual((ran.stdout.strip(), ran.returncode), ("well", 0), ran.stderr)

    def test_python_ends_while_calls_run(self) -> None:
        ran = script("""
            import threading, time, guests, sandbar
            functions = sandbar.Functions()
            @functions.function("env")
            def f(number: sandbar.i32) -> sandbar.i32:
                return number
            plugins = [sandbar.Plugin(guests.CALLS, functions=functions, sandbox=sandbox) for sandbox in ("held", "fresh")]
            for plugin in plugins:
                threading.Thread(target=plugin.call, args=("forever",), daemon=True).start()
            time.sleep(0.2)
            print("well", flush=True)
        """)
        self.assertEqual(ran.stdout.strip(), "well", ran.stderr)
        self.assertEqual(ran.returncode, 0, ran.stderr)

    def test_the_context_of_a_call_goes_with_it(self) -> None:
        import weakref

        class Context: ...

        for sandbox in ("held", "fresh"):
            with sandbar.Plugin(guests.CALLS, functions=give(lambda number: number), sandbox=sandbox) as plugin:
                context = Context()
                gone = weakref.ref(context)
                plugin.once(1, context=context)
                del context
                self.assertIsNone(gone())

    def test_subinterpreters_are_refused(self) -> None:
        ran = script("""
            import importlib.util
            # It has moved from version to version.
            names = ("_interpreters", "_xxsubinterpreters")
            interpreters = next(importlib.import_module(name) for name in names if importlib.util.find_spec(name))
            text = "import sys; sys.path[:0] = " + repr(sys.path) + "\\ntry:\\n  import sandbar\\nexcept ImportError as error: print(error)"
            for _ in range(2):
                interpreters.run_string(interpreters.create(), text)
                import sandbar
        """)
        self.assertEqual(ran.stdout.count("subinterpreter"), 2, ran.stderr)

    def test_ctrl_c_where_the_program_began_to_handle_it_late(self) -> None:
        ran = script("""
            import os, signal, threading, guests, sandbar
            with sandbar.Plugin(guests.SPIN) as plugin:
                assert plugin.add_one(1) == 2
                signal.signal(signal.SIGINT, signal.default_int_handler)
                threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
                try:
                    plugin.spin()
                except KeyboardInterrupt:
                    print("well")
        """, ignored=signal.SIGINT)
        self.assertEqual(ran.stdout.strip(), "well", ran.stderr)

    def test_checks_as_interruption(self) -> None:
        ran = script("""
            import guests, sandbar
            host = sandbar.Host(interruption="epochs", cache=False)
            with sandbar.Plugin(guests.SPIN, host=host) as plugin:
                try:
                    plugin.spin(timeout=0.1)
                except sandbar.TimedOut:
                    print("well")
        """)
        self.assertEqual(ran.stdout.strip(), "well", ran.stderr)
        with self.assertRaises(ValueError):
            sandbar.Host(interruption="often")


if __name__ == "__main__":
    unittest.main()
