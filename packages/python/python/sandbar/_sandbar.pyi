"""The part of this package that is not written in Python."""

import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, final

from typing_extensions import Buffer, Self

__version__: str

@final
class Cancel:
    """Ends every call that it was given to, and every later one."""

    def __new__(cls) -> Self: ...
    def cancel(self) -> None:
        """Ends the calls, from any thread: where a guest runs within a few milliseconds, where it waits at once."""

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled."""

@final
class Call:
    """The call that a function of the host serves: its first parameter, where that is annotated with this class."""

    @property
    def id(self) -> str:
        """Its id, which is in its receipt too."""

    @property
    def guest(self) -> str:
        """The guest's name."""

    @property
    def context(self) -> Any:
        """What the host gave to this call."""

    @property
    def seconds_left(self) -> float | None:
        """Seconds until it has to have ended."""

    @property
    def cancelled(self) -> bool:
        """Whether somebody ended it from outside."""

    def log(self, level: str, message: str) -> None:
        """Says something of it to the plugin's log: `level` is `trace`, `debug`, `info`, `warn` or `error`."""

@final
class Receipt:
    """What a call did and used, as `docs/receipts.md` has it."""

    @property
    def outcome(self) -> str:
        """How the call ended: `done`, `failed`, `stopped`, `trapped`, `refused`, `cancelled` or `fault`."""

    @property
    def call(self) -> str:
        """The call's id."""

    @property
    def at_ms(self) -> int:
        """When it started, in milliseconds since 1970-01-01 UTC."""

    @property
    def guest(self) -> str:
        """The guest's name."""

    @property
    def digest(self) -> str:
        """The guest's digest."""

    @property
    def used(self) -> dict[str, int]:
        """What it used, by the names of `docs/receipts.md`."""

    @property
    def grants(self) -> dict[str, int]:
        """How often it used each grant."""

    @property
    def denials(self) -> list[dict[str, str]]:
        """What it asked for and was refused."""

    def to_dict(self) -> dict[str, Any]:
        """The receipt as a dict, a new one each time."""

    def to_json(self) -> str:
        """The receipt as JSON."""

    def __getitem__(self, key: str, /) -> Any: ...

@final
class Host:
    """Shares one engine, one cache of compiled plugins and one pool of sandboxes among plugins."""

    def __new__(
        cls,
        *,
        interruption: str = "signals",
        cache: bool | str | os.PathLike[str] | None = None,
        compile_with: str | os.PathLike[str] | None = None,
        sandboxes_max: int | None = None,
    ) -> Self: ...

@final
class Watch:
    """Watches a plugin's file until it is closed."""

    def close(self) -> None:
        """Stops watching; a replacement that is under way is waited for."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None, /
    ) -> None: ...

@final
class Export:
    """A function that a plugin exports."""

    @property
    def __name__(self) -> str: ...
    def __call__(
        self,
        *arguments: Any,
        timeout: float | None = None,
        cancel: Cancel | None = None,
        context: Any = None,
        receipt: bool = False,
        **named: Any,
    ) -> Any: ...

@final
class Within: ...

class BasePlugin:
    def __new__(cls, *_arguments: Any, **_named: Any) -> Self: ...
    def __getattr__(self, name: str, /) -> Export: ...
    def call(
        self,
        export: str,
        *arguments: Any,
        timeout: float | None = None,
        cancel: Cancel | None = None,
        context: Any = None,
        receipt: bool = False,
        **named: Any,
    ) -> Any:
        """Calls an export with values and gives its answer; with `receipt=True` a tuple of answer and receipt.

        `timeout` is in seconds, and bounds this call where the plugin's own limit is longer.
        """

    def call_bytes(
        self,
        export: str,
        data: Buffer | None = None,
        *,
        timeout: float | None = None,
        cancel: Cancel | None = None,
        context: Any = None,
    ) -> memoryview:
        """Calls a function over stdin and stdout with bytes; what it gives is lent without a copy."""

    def replace(self, source: str | os.PathLike[str] | Buffer) -> None:
        """Replaces the plugin: new calls go to the new version once it loaded and passed its self-test."""

    def roll_back(self) -> bool:
        """Goes back to the version before the last replacement, where there is one still."""

    def watch(
        self, path: str | os.PathLike[str], callback: Callable[[Exception | None], object] | None = None
    ) -> Watch:
        """Replaces the plugin whenever this file changes, and tells how that went."""

    def close(self) -> None:
        """Lets the plugin go. Calls of it that run come to their end."""

    @property
    def exports(self) -> list[str]:
        """What can be called."""

    @property
    def digest(self) -> str:
        """The digest of the guest that new calls go to."""

    @property
    def name(self) -> str:
        """Its name, in receipts and log records."""

    @property
    def closed(self) -> bool:
        """Whether it was closed."""

    def _load(self, wanted: Any) -> None: ...
    def _adopt(self, other: BasePlugin) -> None: ...
    def _call(
        self,
        kind: str,
        export: str,
        arguments: tuple[Any, ...],
        named: Mapping[str, Any] | None,
        timeout: float | None,
        cancel: Cancel | None,
        context: Any,
        task: Cancel,
        event_loop: Any,
        within: Within | None,
    ) -> Any: ...

def forked() -> None: ...
