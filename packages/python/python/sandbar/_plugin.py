"""Plugins."""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _tasks
from ._functions import Function, Functions, functions_of
from ._sandbar import BasePlugin, Cancel, Host, Receipt

if TYPE_CHECKING:
    from typing_extensions import Buffer


class LogRecord(NamedTuple):
    """One line about a call: what the plugin wrote to its stderr, or what is said of it."""

    #: ``trace``, ``debug``, ``info``, ``warn`` or ``error``.
    level: str
    #: The plugin's name.
    guest: str
    #: The call's id.
    call: str
    message: str


class _Wanted(NamedTuple):
    source: Any
    options: dict[str, Any]
    functions: list[Function]
    log: Callable[[str, str, str, str], None] | None
    on_receipt: Callable[[Receipt], object] | None
    self_test: Callable[[BasePlugin], object] | None
    host: Host | None


class Plugin(BasePlugin):
    """A plugin that is loaded: nothing is granted to it, and each call of it may take ten seconds and 256 MiB.

    Its exports are attributes: ``plugin.transform_data({...})``. It can be called by any thread. A mapping is a manifest of
    Extism's, which says where its module is and what it may do.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Buffer | Mapping[str, Any],
        *,
        name: str | None = None,
        grants: Mapping[str, Any] | None = None,
        limits: Mapping[str, Any] | None = None,
        functions: Functions | Mapping[str, Mapping[str, Callable[..., Any]]] | None = None,
        config: Mapping[str, str] | None = None,
        sandbox: str | Mapping[str, Any] | None = None,
        sandboxes_max: int | None = None,
        base: str | os.PathLike[str] | None = None,
        fuel_metered: bool | None = None,
        rebuild: bool | None = None,
        probation: Mapping[str, int] | None = None,
        results: Mapping[str, str] | None = None,
        state: int | str | None = None,
        self_test: Callable[[Plugin], object] | None = None,
        log: logging.Logger | Callable[[LogRecord], object] | None = None,
        on_receipt: Callable[[Receipt], object] | None = None,
        host: Host | None = None,
    ) -> None:
        options = {
            "name": name,
            "grants": grants,
            "limits": limits,
            "config": config,
            "sandbox": sandbox,
            "sandboxes_max": sandboxes_max,
            "base": None if base is None else os.fspath(base),
            "fuel_metered": fuel_metered,
            "rebuild": rebuild,
            "probation": probation,
            "results": results,
            "state": state,
        }
        options = {key: value for key, value in options.items() if value is not None}
        test = None if self_test is None else partial(_tried, self_test)
        self._load(_Wanted(_source(source), options, functions_of(functions), _told(log), on_receipt, test, host))

    async def call_async(
        self,
        export: str,
        *arguments: Any,
        timeout: float | None = None,
        cancel: Cancel | None = None,
        context: Any = None,
        receipt: bool = False,
        **named: Any,
    ) -> Any:
        """As ``call``, for tasks: another thread makes the call, and cancelling the task ends it."""
        make = partial(self._call, "receipt" if receipt else "value", export, arguments, named)
        return await _tasks.call(make, cancel, timeout=timeout, context=context)

    async def call_bytes_async(
        self,
        export: str,
        data: Buffer | None = None,
        *,
        timeout: float | None = None,
        cancel: Cancel | None = None,
        context: Any = None,
    ) -> memoryview:
        """As ``call_bytes``, for tasks."""
        make = partial(self._call, "bytes", export, () if data is None else (data,), None)
        view: memoryview = await _tasks.call(make, cancel, timeout=timeout, context=context)
        return view

    def call_with_receipt(self, export: str, *arguments: Any, **options: Any) -> tuple[Any, Receipt]:
        """As ``call``, and gives the receipt too."""
        both: tuple[Any, Receipt] = self.call(export, *arguments, receipt=True, **options)
        return both

    def __enter__(self) -> Plugin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<Plugin, closed>" if self.closed else f"<Plugin `{self.name}`>"


def _tried(test: Callable[[Plugin], object], base: BasePlugin) -> None:
    plugin = Plugin.__new__(Plugin)
    plugin._adopt(base)
    test(plugin)


_LEVELS = {
    "trace": logging.DEBUG - 5,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}


def _told(log: logging.Logger | Callable[[LogRecord], object] | None) -> Callable[[str, str, str, str], None] | None:
    if log is None:
        return None
    if isinstance(log, (logging.Logger, logging.LoggerAdapter)):

        def to_logger(level: str, guest: str, call: str, message: str) -> None:
            log.log(_LEVELS[level], "%s: %s", guest, message, extra={"sandbar_call": call})

        return to_logger
    tell = log

    def to_callable(level: str, guest: str, call: str, message: str) -> None:
        tell(LogRecord(level, guest, call, message))

    return to_callable


def _source(source: Any) -> Any:
    return _as_json(source) if isinstance(source, Mapping) else source


def _as_json(value: Any) -> Any:
    """What a manifest of Extism holds, as JSON can: paths as texts, bytes as base64."""
    if isinstance(value, Mapping):
        return {key: _as_json(within) for key, within in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(within) for within in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    return value
