// Uses the types of everything well; each line below `@ts-expect-error` misuses them.
import { loadPlugin } from "sandbar";
import type { Access, Everything, Exports, Imports, Integer64, Level, Shape } from "./everything";
import type { Exports as Module } from "./module";
import type { Exports as Empty, Imports as Nothing } from "./empty";

export async function main(): Promise<void> {
  const functions: Imports = {
    "acme:everything/sink@1.2.0": {
      write: (at, entry) => (at === "warn" ? { ok: entry.text.length } : { err: { message: "no" } }),
      flush: async () => {},
      find: (name) => (name === "" ? null : [1, 2]),
    },
    "": { now: () => "18446744073709551615" },
  };
  const plugin = await loadPlugin<Exports>("everything.wasm", { functions });

  const shape: Shape = { line: [{ x: 1, y: 2 }, { x: 3, y: 4 }] };
  const access: Access = ["read", "import"];
  const value: Everything = {
    boolean: true, wide: "18446744073709551615", signed: -1, single: 1.5, double: "NaN", letter: "x", bytes: [1],
    ids: [1, "9007199254740993"], outcome: { ok: shape }, nothing: { err: null }, ages: { ada: 36 }, pairs: [[1, 2]],
    pair: [1, "a"], access, shapes: ["dot", null, { circle: "Infinity" }],
  };
  const same: Everything = await plugin["echo"](value);
  const big: Integer64 = same.wide;
  BigInt(big);
  const named: string = await plugin["greet"]("Ada");
  const nested = await plugin["nested"]({ some: null });
  if (nested !== null) nested.some?.toFixed();
  await plugin["log"]({ text: "a", when: 1, class: 2, "line-number": 3 });
  await plugin["log"]({ text: "a", when: 1, class: 2 }, "warn");
  const bytes: number[] = await plugin["constructor"](named, { base64: "AQI=" });
  await plugin["constructor"](named, new Uint8Array(bytes), 1.5);
  await plugin.call("log", [{ text: "a", when: 1, class: 2 }, "warn"]);
  const same_: Everything = await plugin.call("echo", value);
  // @ts-expect-error: an entry is no text
  await plugin.call("log", ["a"]);
  const text = await plugin["type"]({ z: 1 });
  text.text.trim();
  const nothing: null = await plugin["acme:everything/other@1.2.0#same"]();
  const result = await plugin["acme:everything/values@1.2.0#same"]({ ok: [1] });
  if ("ok" in result) result.ok.length; else result.err.trim();

  const counter = await plugin["[constructor]counter"]();
  const merged = await plugin["[static]counter.merge"](counter, await plugin["[constructor]counter"]());
  const count: number = await plugin["[method]counter.get"](merged) + await plugin["count"](merged);
  await plugin["[resource-drop]"](merged);

  const module = await loadPlugin<Module>("module.wasm");
  const sum: number = await module["sum"]([20, 22, 27], 1);
  await module["sum"](1, 2, "3");
  const anything: unknown = await module["transform_data"]({ users: [] });
  const [first, second]: [number, Integer64] = await module["two"](1);
  const empty = await loadPlugin<Empty>("empty.wasm", { functions: {} satisfies Nothing });

  // @ts-expect-error: no such function
  await plugin["ech"](value);
  // @ts-expect-error: it is in two interfaces
  await plugin["same"]();
  // @ts-expect-error: what it takes lives in the sandbox
  await plugin["acme:everything/values@1.2.0#wait"](1);
  // @ts-expect-error: a basket is no counter
  await plugin["count"](await plugin["[constructor]basket"](1));
  // @ts-expect-error: a number is no text
  await plugin["greet"](1);
  // @ts-expect-error: too few arguments
  await plugin["greet"]();
  // @ts-expect-error: a text is no number
  const wrong: number = await plugin["greet"]("Ada");
  // @ts-expect-error: no such case
  const square: Shape = { square: 1 };
  // @ts-expect-error: a case with a payload has one
  const circle: Shape = "circle";
  // @ts-expect-error: no such level
  const level: Level = "info";
  // @ts-expect-error: no such flag
  const flags: Access = ["execute"];
  // @ts-expect-error: no number
  const wide: Integer64 = "many";
  // @ts-expect-error: a field is missing
  await plugin["log"]({ text: "a", when: 1 });
  // @ts-expect-error: an option of an option names what it holds
  await plugin["nested"](1);
  // @ts-expect-error: two numbers are one list, three are none
  await module["sum"](1, 2, 3, 4);
  // @ts-expect-error: a function of the host is missing
  const missing: Imports = { "": { now: () => 1 } };
  void [missing, same_, count, sum, anything, first, second, empty, nothing, wrong, square, circle, level, flags, wide];
}
