"""Other versions of a plugin."""

from __future__ import annotations

import pathlib
import tempfile
import threading
import time
import unittest

import guests
import sandbar


class Replace(unittest.TestCase):
    def test_another_version_takes_over_and_goes_back(self) -> None:
        with sandbar.Plugin(guests.version(1), probation={"calls": 10, "failures": 2}) as plugin:
            digest = plugin.digest
            plugin.replace(guests.version(2))
            self.assertEqual(plugin.version(), 2)
            self.assertNotEqual(plugin.digest, digest)
            self.assertTrue(plugin.roll_back())
            self.assertEqual((plugin.version(), plugin.digest), (1, digest))
            self.assertFalse(plugin.roll_back())

    def test_a_version_with_other_exports(self) -> None:
        with sandbar.Plugin(guests.version(1)) as plugin:
            version = plugin.version
            plugin.replace(guests.COUNTER)
            self.assertEqual([plugin.count(), plugin.count()], [1, 2])
            with self.assertRaises(sandbar.Refused):
                version()
            with self.assertRaises(AttributeError):
                plugin.version

    def test_what_fails_on_probation_goes_by_itself(self) -> None:
        breaks = b'(module (func (export "version") (result i32) unreachable))'
        with sandbar.Plugin(guests.version(1), probation={"calls": 10, "failures": 2}) as plugin:
            plugin.replace(breaks)
            for _ in range(2):
                with self.assertRaises(sandbar.Trapped):
                    plugin.version()
            self.assertEqual(plugin.version(), 1)

    def test_a_self_test_is_passed_first(self) -> None:
        def test(plugin: sandbar.Plugin) -> None:
            assert plugin.version() < 3, "too new"

        with sandbar.Plugin(guests.version(1), self_test=test) as plugin:
            plugin.replace(guests.version(2))
            with self.assertRaisesRegex(sandbar.LoadError, "too new"):
                plugin.replace(guests.version(3))
            self.assertEqual(plugin.version(), 2)
        with self.assertRaises(sandbar.LoadError):
            sandbar.Plugin(guests.version(4), self_test=test)

    def test_a_file_is_watched(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "plugin.wat"
            path.write_bytes(guests.version(1))
            told: list[sandbar.LoadError | None] = []
            event = threading.Event()

            def tell(error: sandbar.LoadError | None) -> None:
                told.append(error)
                event.set()

            with sandbar.Plugin(path) as plugin, plugin.watch(path, tell):
                self.write(path, guests.version(2))
                self.assertTrue(event.wait(10))
                self.assertEqual((plugin.version(), told), (2, [None]))
                event.clear()
                self.write(path, b"(module nonsense")
                self.assertTrue(event.wait(10))
                self.assertIsInstance(told[1], sandbar.LoadError)
                self.assertEqual(plugin.version(), 2)

    def test_a_watch_that_is_forgotten_ends(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "plugin.wat"
            path.write_bytes(guests.version(1))
            with sandbar.Plugin(path) as plugin:
                time.sleep(0.1)
                threads = guests.threads()
                for _ in range(3):
                    watch = plugin.watch(path, print)
                    del watch
                self.assertTrue(guests.eventually(lambda: guests.threads() <= threads))

    def write(self, path: pathlib.Path, content: bytes) -> None:
        time.sleep(0.05)
        other = path.with_suffix(".new")
        other.write_bytes(content)
        other.rename(path)


if __name__ == "__main__":
    unittest.main()
