# Uses the types of everything well; each line that is marked misuses them.
from typing import Any, Union, cast

from everything import Access, Everything, Exports, Imports, Integer64, Level, Shape
from module import Exports as Module


class Plugin:
    """What a host of plugins offers."""

    def __getattr__(self, name: str) -> Any: ...


def flush() -> None: ...


functions: Imports = {
    "acme:everything/sink@1.2.0": {
        "write": lambda at, entry: {"ok": len(entry["text"])} if at == "warn" else {"err": {"message": "no"}},
        "flush": flush,
        "find": lambda name: [1, 2],
    },
    "": {"now": lambda: "18446744073709551615"},
}

plugin = cast(Exports, Plugin())
shape: Shape = {"line": ({"x": 1, "y": 2}, {"x": 3, "y": 4})}
access: Access = ["read", "import"]
value: Everything = {
    "boolean": True, "wide": "18446744073709551615", "signed": -1, "single": 1.5, "double": "NaN", "letter": "x",
    "bytes": [1], "ids": [1, "9007199254740993"], "outcome": {"ok": shape}, "nothing": {"err": None}, "ages": {"ada": 36},
    "pairs": [(1, 2)], "pair": (1, "a"), "access": access, "shapes": ["dot", None, {"circle": "Infinity"}],
}
same: Everything = plugin.echo(value, timeout=2)
big: Integer64 = same["wide"]
named: str = plugin.greet("Ada")
nested = plugin.call("nested", {"some": None})
plugin.log({"text": "a", "when": 1, "class": 2, "line-number": 3})
plugin.log({"text": "a", "when": 1, "class": 2}, "warn")
number: list[int] = plugin.constructor(named, {"base64": "AQI="})
text: str = plugin.type({"z": 1})["text"]
result = plugin.call("acme:everything/values@1.2.0#same", {"ok": [1]})
if "ok" in result:
    result["ok"]
counter = plugin.call("[constructor]counter")
count: int = plugin.call("[method]counter.get", counter) + plugin.count(counter)
plugin.call("[resource-drop]", counter)
module = cast(Module, Plugin())
sum: int = module.sum([20, 22, 27], 1)
module.sum(1, 2, "3")
anything = module.transform_data({"users": []})


async def main() -> None:
    waited: str = await plugin.call_async("greet", "Ada")


plugin.ech(value)  # type: ignore[attr-defined]
plugin.same()  # type: ignore[attr-defined]
plugin.greet(1)  # type: ignore[arg-type]
plugin.greet()  # type: ignore[call-arg]
wrong: int = plugin.greet("Ada")  # type: ignore[assignment]
square: Shape = {"square": 1}  # type: ignore
circle: Shape = "circle"  # type: ignore[assignment]
level: Level = "info"  # type: ignore[assignment]
flags: Access = ["execute"]  # type: ignore[list-item]
plugin.log({"text": "a", "when": 1})  # type: ignore[typeddict-item]
plugin.nested(1)  # type: ignore[arg-type]
plugin.call("ech", value)  # type: ignore[call-overload]
module.sum(1, 2, 3, 4)  # type: ignore[call-overload]
missing: Imports = {"": {"now": lambda: 1}}  # type: ignore[typeddict-item]
