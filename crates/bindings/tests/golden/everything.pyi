# What the guest "filter" takes and gives. Written by `sandbar types --py`; written anew, changes are lost.
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

# `level` of `acme:everything/types@1.2.0`.
Level = Literal["debug", "warn"]


# `entry` of `acme:everything/types@1.2.0`.
Entry = TypedDict(
    "Entry",
    {
        # What it says.
        "text": str,
        "line-number": NotRequired[Union[int, None]],
        "when": Integer64,
        "class": Float,
    },
)


# `failure` of `acme:everything/sink@1.2.0`.
class Failure(TypedDict):
    message: str
    code: NotRequired[Union[Integer64, None]]

# `id` of `acme:everything/values@1.2.0`.
Id = Integer64

# `ids` of `acme:everything/values@1.2.0`.
Ids = list[Id]


# `point` of `acme:everything/values@1.2.0`.
class ValuesPoint(TypedDict):
    x: int
    y: int

# By its radius.
@final
class ShapeCircle(TypedDict):
    circle: Float

@final
class ShapeLine(TypedDict):
    line: tuple[ValuesPoint, ValuesPoint]

@final
class ShapeLabelled(TypedDict):
    labelled: Union[str, None]

# `shape` of `acme:everything/values@1.2.0`.
# A shape.
Shape = Union[Literal["dot"], ShapeCircle, ShapeLine, ShapeLabelled]

# `access` of `acme:everything/values@1.2.0`.
Access = list[Literal["read", "write", "import"]]


# `everything` of `acme:everything/values@1.2.0`.
class Everything(TypedDict):
    boolean: bool
    wide: Integer64
    signed: Integer64
    single: Float
    double: Float
    letter: str
    bytes: list[int]
    ids: Ids
    nested: NotRequired[Union[Some[Union[int, None]], None]]
    outcome: Union[Ok[Shape], Err[Level]]
    nothing: Union[Ok[None], Err[None]]
    ages: dict[str, int]
    pairs: list[tuple[int, Id]]
    pair: tuple[Id, str]
    access: Access
    shapes: list[Union[Shape, None]]

# `float` of `acme:everything/values@1.2.0`.
ValuesFloat = Float


# `counter` of `acme:everything/values@1.2.0`.
class Counter(Handle):
    ...


# `basket` of `acme:everything/values@1.2.0`.
class Basket(Handle):
    ...


# `point` of `acme:everything/other@1.2.0`.
# Not the point of the other interface.
class OtherPoint(TypedDict):
    z: int


# `string` of `acme:everything/other@1.2.0`.
class String(TypedDict):
    text: str


# What a host can call: `cast(Exports, plugin)`.
class Exports(Protocol):
    # "acme:everything/values@1.2.0#wait" can't be called from outside: a `future` of its type has no text.
    def greet(self, name: str, /, **options: Any) -> str: ...
    def echo(self, value: Everything, /, **options: Any) -> Everything: ...
    def nested(self, value: Union[Some[Union[int, None]], None] = ..., /, **options: Any) -> Union[Some[Union[int, None]], None]: ...
    def log(self, entry: Entry, level: Union[Level, None] = ..., /, **options: Any) -> None: ...
    def constructor(self, function: str, class_: Bytes, self_: Union[ValuesFloat, None] = ..., /, **options: Any) -> list[int]: ...
    def count(self, counter: Counter, /, **options: Any) -> int: ...
    def type(self, point: OtherPoint, /, **options: Any) -> String: ...
    @overload
    def call(self, export: Literal["greet"], name: str, /, **options: Any) -> str: ...
    @overload
    def call(self, export: Literal["acme:everything/values@1.2.0#echo", "echo"], value: Everything, /, **options: Any) -> Everything: ...
    @overload
    def call(self, export: Literal["acme:everything/values@1.2.0#same"], value: Union[Ok[Ids], Err[str]], /, **options: Any) -> Union[Ok[Ids], Err[str]]: ...
    @overload
    def call(self, export: Literal["acme:everything/values@1.2.0#nested", "nested"], value: Union[Some[Union[int, None]], None] = ..., /, **options: Any) -> Union[Some[Union[int, None]], None]: ...
    @overload
    def call(self, export: Literal["acme:everything/values@1.2.0#log", "log"], entry: Entry, level: Union[Level, None] = ..., /, **options: Any) -> None: ...
    @overload
    def call(self, export: Literal["acme:everything/values@1.2.0#constructor", "constructor"], function: str, class_: Bytes, self_: Union[ValuesFloat, None] = ..., /, **options: Any) -> list[int]: ...
    @overload
    def call(self, export: Literal["acme:everything/values@1.2.0#[constructor]counter", "[constructor]counter"], /, **options: Any) -> Counter: ...
    @overload
    def call(self, export: Literal["acme:everything/values@1.2.0#[method]counter.get", "[method]counter.get"], self_: Counter, /, **options: Any) -> int: ...
    @overload
    def call(self, export: Literal["acme:everything/values@1.2.0#[static]counter.merge", "[static]counter.merge"], one: Counter, two: Counter, /, **options: Any) -> Counter: ...
    @overload
    def call(self, export: Literal["acme:everything/values@1.2.0#count", "count"], counter: Counter, /, **options: Any) -> int: ...
    @overload
    def call(self, export: Literal["acme:everything/values@1.2.0#[constructor]basket", "[constructor]basket"], size: Integer64, /, **options: Any) -> Basket: ...
    @overload
    def call(self, export: Literal["acme:everything/other@1.2.0#type", "type"], point: OtherPoint, /, **options: Any) -> String: ...
    @overload
    def call(self, export: Literal["acme:everything/other@1.2.0#same"], /, **options: Any) -> None: ...
    @overload
    def call(self, export: Literal["[resource-drop]"], handle: Handle, /, **options: Any) -> None: ...
    @overload
    async def call_async(self, export: Literal["greet"], name: str, /, **options: Any) -> str: ...
    @overload
    async def call_async(self, export: Literal["acme:everything/values@1.2.0#echo", "echo"], value: Everything, /, **options: Any) -> Everything: ...
    @overload
    async def call_async(self, export: Literal["acme:everything/values@1.2.0#same"], value: Union[Ok[Ids], Err[str]], /, **options: Any) -> Union[Ok[Ids], Err[str]]: ...
    @overload
    async def call_async(self, export: Literal["acme:everything/values@1.2.0#nested", "nested"], value: Union[Some[Union[int, None]], None] = ..., /, **options: Any) -> Union[Some[Union[int, None]], None]: ...
    @overload
    async def call_async(self, export: Literal["acme:everything/values@1.2.0#log", "log"], entry: Entry, level: Union[Level, None] = ..., /, **options: Any) -> None: ...
    @overload
    async def call_async(self, export: Literal["acme:everything/values@1.2.0#constructor", "constructor"], function: str, class_: Bytes, self_: Union[ValuesFloat, None] = ..., /, **options: Any) -> list[int]: ...
    @overload
    async def call_async(self, export: Literal["acme:everything/values@1.2.0#[constructor]counter", "[constructor]counter"], /, **options: Any) -> Counter: ...
    @overload
    async def call_async(self, export: Literal["acme:everything/values@1.2.0#[method]counter.get", "[method]counter.get"], self_: Counter, /, **options: Any) -> int: ...
    @overload
    async def call_async(self, export: Literal["acme:everything/values@1.2.0#[static]counter.merge", "[static]counter.merge"], one: Counter, two: Counter, /, **options: Any) -> Counter: ...
    @overload
    async def call_async(self, export: Literal["acme:everything/values@1.2.0#count", "count"], counter: Counter, /, **options: Any) -> int: ...
    @overload
    async def call_async(self, export: Literal["acme:everything/values@1.2.0#[constructor]basket", "[constructor]basket"], size: Integer64, /, **options: Any) -> Basket: ...
    @overload
    async def call_async(self, export: Literal["acme:everything/other@1.2.0#type", "type"], point: OtherPoint, /, **options: Any) -> String: ...
    @overload
    async def call_async(self, export: Literal["acme:everything/other@1.2.0#same"], /, **options: Any) -> None: ...
    @overload
    async def call_async(self, export: Literal["[resource-drop]"], handle: Handle, /, **options: Any) -> None: ...

SinkFunctions = TypedDict(
    "SinkFunctions",
    {
        # Writes an entry.
        "write": Callable[[Level, Entry], Union[Union[Ok[Integer64], Err[Failure]], Awaitable[Union[Ok[Integer64], Err[Failure]]]]],
        "flush": Callable[[], Union[None, Awaitable[None]]],
        # Bytes by name.
        "find": Callable[[str], Union[Union[list[int], None], Awaitable[Union[list[int], None]]]],
    },
)

Functions = TypedDict(
    "Functions",
    {
        "now": Callable[[], Union[Integer64, Awaitable[Integer64]]],
    },
)

# Functions that the host gives, by interface and name.
Imports = TypedDict("Imports", {"acme:everything/sink@1.2.0": SinkFunctions, "": Functions})
