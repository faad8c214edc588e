"""The log processor of `examples/plugin-host` in Python, as its users meet it."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

import guests

EXAMPLE = guests.REPOSITORY / "examples" / "plugin-host"
BUILT = guests.REPOSITORY / "guests" / "target" / "sandbar"


class Host(unittest.TestCase):
    def test_records_go_through_a_chain_of_plugins(self) -> None:
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        shutil.copytree(EXAMPLE / "plugins", folder, dirs_exist_ok=True)
        for name, guest in (("10-level", "log-level"), ("20-redact", "log-redact"), ("30-region", "log-region")):
            shutil.copy(BUILT / f"{guest}.wasm", folder / f"{name}.wasm")
        program = [sys.executable, EXAMPLE / "python" / "host.py", folder, "0"]
        host = subprocess.Popen(program, stderr=subprocess.PIPE, text=True)
        self.addCleanup(host.stderr.close)
        self.addCleanup(host.wait)
        self.addCleanup(host.kill)
        url = re.search(r"http:\S+", host.stderr.readline())[0]

        def post(records: bytes) -> bytes:
            with urllib.request.urlopen(f"{url}/logs", records) as answer:
                return answer.read()

        told = post(b'{"message": "error: login of ada@example.com"}\n{"message": "debug: nothing"}\n')
        expected = {"level": "error", "message": "error: login of ***", "region": "Europe, north"}
        self.assertEqual(json.loads(told), expected)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            post(b"no record")
        self.assertEqual(refused.exception.code, 400)
        refused.exception.close()
        with urllib.request.urlopen(url) as stats:
            level, _, region = json.load(stats)
        self.assertEqual(level["outcomes"], {"done": 2})
        self.assertRegex(region["denials"]["write /regions/last"], "^dir = ")


if __name__ == "__main__":
    unittest.main()
