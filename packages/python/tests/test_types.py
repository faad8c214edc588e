"""What type checkers say of the package."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import sandbar

TOOLS = os.environ.get("SANDBAR_TOOLS_PYTHON", "")

PROGRAM = """
import sandbar
from sandbar import Call, Functions, Plugin, Receipt, i32

functions = Functions()

@functions.function("env")
def host_log(call: Call, level: i32, message: str) -> None:
    call.log("info", message)

def run(plugin: Plugin) -> tuple[int, str]:
    value, receipt = plugin.call_with_receipt("transform_data", {"users": []})
    view: memoryview = plugin.call_bytes("transform_data", bytearray(b"{}"), timeout=1.0)
    try:
        plugin.transform_data({"users": []}, timeout=2)
    except sandbar.Stopped as stopped:
        return len(view), stopped.limit
    return receipt.used["wall_ns"], receipt.outcome

async def later(plugin: Plugin) -> memoryview:
    return await plugin.call_bytes_async("transform_data", b"{}")

def told(receipt: Receipt) -> None: ...

with Plugin("users.wasm", functions=functions, limits={"wall": "2s"}, on_receipt=told) as plugin:
    run(plugin)
    plugin.call_bytes("transform_data", 7)  # wrong
"""


class Types(unittest.TestCase):
    def setUp(self) -> None:
        self.assertTrue(TOOLS, "run test.py, which installs the type checker")

    def mypy(self, *arguments: str, cwd: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([TOOLS, "-m", *arguments], cwd=cwd, capture_output=True, text=True, check=False)

    def test_a_program_is_checked_by_it(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "program.py").write_text(PROGRAM, encoding="utf-8")
            checked = self.mypy("mypy", "--strict", "--python-executable", sys.executable, "program.py", cwd=folder)
        line = PROGRAM.count("\n", 0, PROGRAM.index("# wrong")) + 1
        self.assertEqual(checked.returncode, 1, checked.stdout + checked.stderr)
        self.assertIn(f"program.py:{line}: error", checked.stdout)
        self.assertIn("Found 1 error", checked.stdout)

    def test_the_package_itself(self) -> None:
        package = pathlib.Path(sandbar.__file__).parent
        with tempfile.TemporaryDirectory() as folder:
            checked = self.mypy("mypy", "--strict", "--python-version", "3.11", str(package), cwd=folder)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)


if __name__ == "__main__":
    unittest.main()
