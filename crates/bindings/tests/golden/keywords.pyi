# What the guest "async" takes and gives. Written by `sandbar types --py`; written anew, changes are lost.
from __future__ import annotations

from typing import Any, Awaitable, Callable, Generic, Literal, NotRequired, Protocol, TypedDict, TypeVar, Union, final, overload

T = TypeVar("T")

# A 64-bit integer: beyond 2^53 a string, which `int` reads.
Integer64 = Union[int, str]

# A float: a string where JSON has no number, which `float` reads.
Float = Union[float, Literal["NaN", "Infinity", "-Infinity"]]


@final
class Ok(TypedDict, Generic[T]):
    ok: T


@final
class Err(TypedDict, Generic[T]):
    err: T


@final
class Some(TypedDict, Generic[T]):
    some: T


class Base64(TypedDict):
    base64: str


class Handle(TypedDict):
    handle: int


# Bytes as an argument. They come back as a list of numbers.
Bytes = Union[list[int], Base64]


# `self` of `acme:keywords/a`.
ASelf = TypedDict(
    "ASelf",
    {
        "record": int,
        "int": int,
        "class": int,
        "none": int,
        "a-1": int,
        "a1": int,
    },
)

# `option` of `acme:keywords/a`.
Option = Literal["none", "some", "self", "ok"]

@final
class BSelfResult(TypedDict):
    result: int

@final
class BSelfBox(TypedDict):
    box: str

# `self` of `acme:keywords/b`.
BSelf = Union[BSelfResult, Literal["err"], BSelfBox]

# `promise` of `acme:keywords/b`.
Promise = list[Literal["type", "fn", "loop", "read", "read-all"]]


# What a host can call: `cast(Exports, plugin)`.
class Exports(Protocol):
    def list_async(self, arguments: BSelf, eval: int, impl: int, /, **options: Any) -> list[int]: ...
    def clone(self, **options: Any) -> None: ...
    def none(self, **options: Any) -> None: ...
    def type(self, a_1: int, a1: int, /, **options: Any) -> None: ...
    @overload
    def call(self, export: Literal["list"], pass_: ASelf, lambda_: Promise, /, **options: Any) -> Option: ...
    @overload
    def call(self, export: Literal["list-async"], arguments: BSelf, eval: int, impl: int, /, **options: Any) -> list[int]: ...
    @overload
    def call(self, export: Literal["call"], export2: str, options2: str, /, **options: Any) -> None: ...
    @overload
    def call(self, export: Literal["clone"], /, **options: Any) -> None: ...
    @overload
    def call(self, export: Literal["none"], /, **options: Any) -> None: ...
    @overload
    def call(self, export: Literal["type"], a_1: int, a1: int, /, **options: Any) -> None: ...
    @overload
    async def call_async(self, export: Literal["list"], pass_: ASelf, lambda_: Promise, /, **options: Any) -> Option: ...
    @overload
    async def call_async(self, export: Literal["list-async"], arguments: BSelf, eval: int, impl: int, /, **options: Any) -> list[int]: ...
    @overload
    async def call_async(self, export: Literal["call"], export2: str, options2: str, /, **options: Any) -> None: ...
    @overload
    async def call_async(self, export: Literal["clone"], /, **options: Any) -> None: ...
    @overload
    async def call_async(self, export: Literal["none"], /, **options: Any) -> None: ...
    @overload
    async def call_async(self, export: Literal["type"], a_1: int, a1: int, /, **options: Any) -> None: ...

Functions = TypedDict(
    "Functions",
    {
        "int": Callable[[ASelf, Option, int], Union[BSelf, Awaitable[BSelf]]],
    },
)

# Functions that the host gives, by interface and name.
Imports = TypedDict("Imports", {"": Functions})
