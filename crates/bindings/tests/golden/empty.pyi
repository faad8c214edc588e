# What the guest "empty" takes and gives. Written by `sandbar types --py`; written anew, changes are lost.
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


# What a host can call: `cast(Exports, plugin)`.
class Exports(Protocol):
    ...

# Functions that the host gives, by interface and name.
Imports = TypedDict("Imports", {})
