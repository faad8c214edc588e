"""Functions that a program gives to its plugins."""

from __future__ import annotations

import inspect
import typing
from typing import Annotated, Any, Callable, NamedTuple, TypeVar, overload

from ._sandbar import Call

#: A 32-bit integer.
i32 = Annotated[int, "i32"]
#: A 32-bit integer without a sign.
u32 = Annotated[int, "u32"]
#: A 64-bit integer.
i64 = Annotated[int, "i64"]
#: A 64-bit integer without a sign.
u64 = Annotated[int, "u64"]
#: A 32-bit float.
f32 = Annotated[float, "f32"]
#: A 64-bit float.
f64 = Annotated[float, "f64"]
#: Bytes in a block of a plugin of Extism.
block = Annotated[bytes, "block"]

_F = TypeVar("_F", bound=Callable[..., Any])

#: What an annotation is to a core module.
_KINDS: dict[Any, str] = {int: "i64", float: "f64", bool: "bool", str: "text", bytes: "bytes"}
_NAMES = frozenset(["i32", "u32", "i64", "u64", "f32", "f64", "bool", "text", "bytes", "block"])


class Function(NamedTuple):
    """One function, as it is handed to the part of this package that is not Python."""

    module: str
    name: str
    callable: Callable[..., Any]
    form: str | None
    is_async: bool
    takes_call: bool


class Functions:
    """Functions by the names under which plugins import them.

    >>> functions = Functions()
    >>> @functions.function("env")
    ... def host_log(level: i32, message: str) -> None:
    ...     print(level, message)
    """

    def __init__(self) -> None:
        self._functions: dict[tuple[str, str], Function] = {}

    def function(self, module: str, name: str | None = None, *, form: str | None = None) -> Callable[[_F], _F]:
        """Adds a function under a module such as ``env``, or an interface such as ``acme:log/sink``.

        To a core module it is what its annotations say: ``int`` is 64 bits wide and ``float`` too, ``i32``, ``u32``, ``u64``
        and ``f32`` of this package say otherwise, ``str`` and ``bytes`` are a pointer and a length. ``form`` says it in one
        text instead, ``(i32, text) -> i64``. Without either it takes and gives the numbers that the plugin's import has.
        A component gives and takes values.
        """

        def add(function: _F) -> _F:
            self.add(module, name or str(getattr(function, "__name__", "")), function, form=form)
            return function

        return add

    def add(self, module: str, name: str, function: Callable[..., Any], *, form: str | None = None) -> None:
        """Adds a function; one of the same name before is replaced."""
        if not callable(function):
            raise TypeError(f"the function `{name}`: expected something that can be called, found {function!r}")
        if not name:
            raise TypeError(f"a function of `{module}` has no name; hint: `functions.add(module, name, function)`")
        parameters, result = _annotations(name, function)
        takes_call = bool(parameters) and parameters[0] is Call
        form = form or getattr(function, "__sandbar_form__", None) or _form(name, parameters[1:] if takes_call else parameters, result)
        is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))
        self._functions[(module, name)] = Function(module, name, function, form, is_async, takes_call)

    def _all(self) -> list[Function]:
        return list(self._functions.values())

    def __len__(self) -> int:
        return len(self._functions)


@overload
def host_fn(function: _F, /) -> _F: ...
@overload
def host_fn(form: str, /) -> Callable[[_F], _F]: ...
def host_fn(given: Any, /) -> Any:
    """Says a function's form where it is written: ``@host_fn("(i32, text)")``."""
    if callable(given):
        return given

    def mark(function: _F) -> _F:
        function.__sandbar_form__ = given  # type: ignore[attr-defined]
        return function

    return mark


def functions_of(given: Any) -> list[Function]:
    """Functions as ``Plugin`` takes them: ``Functions``, or a dict of dicts by module and name."""
    if given is None:
        return []
    if isinstance(given, Functions):
        return given._all()
    functions = Functions()
    for module, named in dict(given).items():
        for name, function in dict(named).items():
            functions.add(module, name, function)
    return functions._all()


_MISSING = inspect.Parameter.empty


def _annotations(name: str, function: Callable[..., Any]) -> tuple[list[Any], Any]:
    """The annotations of parameters, in order, and of the result."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        # Some functions of C have none.
        return [], _MISSING
    try:
        target = function if inspect.isroutine(function) else getattr(function, "__call__")
        hints = typing.get_type_hints(inspect.unwrap(target), include_extras=True)
    except NameError as error:
        raise TypeError(f"the function `{name}`: an annotation can't be read: {error}") from None
    parameters = []
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            parameters.append(hints.get(parameter.name, _MISSING))
        elif parameter.kind is parameter.VAR_POSITIONAL:
            parameters.append(_MISSING)
    return parameters, hints.get("return", _MISSING)


def _form(name: str, parameters: list[Any], result: Any) -> str | None:
    """The form that annotations say, or none where one has none or is nothing to a core module."""
    kinds = [_kind(annotation) for annotation in parameters]
    gives = None if result in (None, type(None)) or result is _MISSING else _kind(result)
    if None in kinds or (gives is None and result not in (None, type(None), _MISSING)):
        return None
    if result is _MISSING and not any(annotation is not _MISSING for annotation in parameters):
        return None
    if gives in ("text", "bytes"):
        # A component gets it as a value; a core module has no place for it, unless it is one of Extism.
        return None
    given = ", ".join(kind for kind in kinds if kind)
    return f"({given})" + (f" -> {gives}" if gives else "")


def _kind(annotation: Any) -> str | None:
    if annotation is _MISSING:
        return None
    for extra in getattr(annotation, "__metadata__", ()):
        if extra in _NAMES:
            return str(extra)
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    try:
        return _KINDS.get(annotation)
    except TypeError:
        return None
