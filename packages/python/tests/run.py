"""Runs all tests and closes with one line."""

from __future__ import annotations

import logging
import os
import pathlib
import signal
import sys
import unittest


def main() -> int:
    here = pathlib.Path(__file__).resolve().parent
    sys.path.insert(0, str(here))
    os.environ["SANDBAR_TOOLS_PYTHON"] = sys.argv[1] if len(sys.argv) > 1 else ""
    # A shell that runs this in the background has it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Tasks that take long on a busy machine are none of its news.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    result = unittest.TextTestRunner(verbosity=1).run(unittest.defaultTestLoader.discover(str(here)))
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    failed_tests = {str(test) for test, _ in [*result.failures, *result.errors]}
    failed = max(len(failed_tests), min(failed, 1))
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
