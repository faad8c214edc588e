"""Runs untrusted WebAssembly plugins inside a Python program.

>>> import sandbar
>>> with sandbar.Plugin("users.wasm") as plugin:
...     plugin.transform_data({"users": []})
"""

import os as _os

from . import _sandbar, _tasks
from ._errors import (
    AnswerError,
    Cancelled,
    Denied,
    Failed,
    Fault,
    LoadError,
    OptionError,
    PluginError,
    Refused,
    SandbarError,
    Stopped,
    TimedOut,
    Trapped,
)
from ._functions import Functions, block, f32, f64, host_fn, i32, i64, u32, u64
from ._plugin import LogRecord, Plugin
from ._sandbar import Call, Cancel, Export, Host, Receipt, Watch, __version__

__all__ = [
    "AnswerError",
    "Call",
    "Cancel",
    "Cancelled",
    "Denied",
    "Export",
    "Failed",
    "Fault",
    "Functions",
    "Host",
    "LoadError",
    "LogRecord",
    "OptionError",
    "Plugin",
    "PluginError",
    "Receipt",
    "Refused",
    "SandbarError",
    "Stopped",
    "TimedOut",
    "Trapped",
    "Watch",
    "__version__",
    "block",
    "f32",
    "f64",
    "host_fn",
    "i32",
    "i64",
    "u32",
    "u64",
]


def _forked() -> None:
    _sandbar.forked()
    _tasks.forked()


_os.register_at_fork(after_in_child=_forked)
