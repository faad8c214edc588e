#!/usr/bin/env python3
"""Builds the wheel, installs it where nothing else is, and runs the tests there: `python3 packages/python/test.py`.

Everything lands in `target/python-venv`. `--release` builds what is shipped, with the release profile; the default shares
what cargo built for other tests. `--python PROGRAM`, as often as wanted, runs the tests with other Pythons too. `--wheel` only
builds it.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import venv

MATURIN = "maturin==1.16.0"
#: What type checkers say of the package is a test, too.
MYPY = "mypy==1.13.0"

FOLDER = pathlib.Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[1]
TARGET = REPOSITORY / "target" / "python-venv"


def main() -> int:
    parser = argparse.ArgumentParser(description="Builds the wheel, installs it where nothing else is, and runs the tests there.")
    parser.add_argument("--release", action="store_true", help="build what is shipped")
    parser.add_argument("--python", action="append", default=[], help="another Python to run the tests with")
    parser.add_argument("--wheel", action="store_true", help="only build the wheel, and print where it is")
    given = parser.parse_args()
    tools = python_in(TARGET / "tools")
    run(tools, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", MATURIN, MYPY)
    wheel = built(tools, "release" if given.release else "dev")
    if given.wheel:
        print(wheel)
        return 0
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB", flush=True)
    # All of them, so that the closing line is that of this Python.
    return max([tested(program, wheel, tools) for program in [*given.python, sys.executable]])


def tested(program: str, wheel: pathlib.Path, tools: pathlib.Path) -> int:
    folder = TARGET / "clean"
    subprocess.run([program, "-m", "venv", "--clear", folder], env=environment(), check=True)
    clean = folder / "bin" / "python"
    run(clean, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", str(wheel))
    tests = FOLDER / "tests" / "run.py"
    return subprocess.run([clean, "-X", "faulthandler", tests, tools], cwd=TARGET, env=environment(), check=False).returncode


def built(tools: pathlib.Path, profile: str) -> pathlib.Path:
    wheels = TARGET / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    # Left by a build in place, it would go into the wheel as well.
    for library in (FOLDER / "python" / "sandbar").glob("*.so"):
        library.unlink()
    run(tools, "-m", "maturin", "build", "--profile", profile, "--locked", "--auditwheel", "skip", "--out", str(wheels))
    (wheel,) = wheels.glob("*.whl")
    return wheel


def python_in(folder: pathlib.Path) -> pathlib.Path:
    if not (folder / "bin" / "python").exists():
        venv.create(folder, clear=True, with_pip=True)
    return folder / "bin" / "python"


def run(python: pathlib.Path, *arguments: str) -> None:
    subprocess.run([python, *arguments], cwd=FOLDER, env=environment(), check=True)


def environment() -> dict[str, str]:
    """Without what would let another Python or another package in."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "CONDA"))}


if __name__ == "__main__":
    sys.exit(main())
