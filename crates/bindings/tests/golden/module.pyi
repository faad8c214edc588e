# What the guest "module" takes and gives. Written by `sandbar types --py`; written anew, changes are lost.
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

# A list or text for a core function, which sees its address and its length. A plain list is one of `i32`.
CoreList = Union[list[int], str, dict[str, list[int]], dict[str, list[float]], dict[str, str]]


# What a host can call: `cast(Exports, plugin)`.
class Exports(Protocol):
    # "class" can't be called from outside: a `reference` of its type has no text.
    def transform_data(self, input: Any = ..., /, **options: Any) -> Any: ...
    @overload
    def sum(self, p0: int, p1: int, p2: Integer64, /, **options: Any) -> int: ...
    @overload
    def sum(self, p0: CoreList, p1: Integer64, /, **options: Any) -> int: ...
    def mean_of(self, p0: Float, p1: Integer64, /, **options: Any) -> Float: ...
    def two(self, p0: Float, /, **options: Any) -> tuple[int, Integer64]: ...
    def none(self, p0: str, /, **options: Any) -> None: ...
    @overload
    def call(self, export: Literal["transform_data"], input: Any = ..., /, **options: Any) -> Any: ...
    @overload
    def call(self, export: Literal["sum"], p0: int, p1: int, p2: Integer64, /, **options: Any) -> int: ...
    @overload
    def call(self, export: Literal["sum"], p0: CoreList, p1: Integer64, /, **options: Any) -> int: ...
    @overload
    def call(self, export: Literal["mean-of"], p0: Float, p1: Integer64, /, **options: Any) -> Float: ...
    @overload
    def call(self, export: Literal["two"], p0: Float, /, **options: Any) -> tuple[int, Integer64]: ...
    @overload
    def call(self, export: Literal["none"], p0: str, /, **options: Any) -> None: ...
    @overload
    async def call_async(self, export: Literal["transform_data"], input: Any = ..., /, **options: Any) -> Any: ...
    @overload
    async def call_async(self, export: Literal["sum"], p0: int, p1: int, p2: Integer64, /, **options: Any) -> int: ...
    @overload
    async def call_async(self, export: Literal["sum"], p0: CoreList, p1: Integer64, /, **options: Any) -> int: ...
    @overload
    async def call_async(self, export: Literal["mean-of"], p0: Float, p1: Integer64, /, **options: Any) -> Float: ...
    @overload
    async def call_async(self, export: Literal["two"], p0: Float, /, **options: Any) -> tuple[int, Integer64]: ...
    @overload
    async def call_async(self, export: Literal["none"], p0: str, /, **options: Any) -> None: ...

# Functions that the host gives, by interface and name.
Imports = TypedDict("Imports", {})
