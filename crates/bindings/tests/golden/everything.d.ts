// What the guest "filter" takes and gives. Written by `sandbar types --ts`; written anew, changes are lost.

/** A 64-bit integer: beyond 2^53 a string, which `BigInt` reads. */
export type Integer64 = number | `${bigint}`;

/** A float: a string where JSON has no number, which `Number` reads. */
export type Float = number | "NaN" | "Infinity" | "-Infinity";

/** Bytes as an argument. They come back as an array of numbers. */
export type Bytes = number[] | Uint8Array | { base64: string };

/** `level` of `acme:everything/types@1.2.0`. */
export type Level = "debug" | "warn";

/** `entry` of `acme:everything/types@1.2.0`. */
export interface Entry {
  /** What it says. */
  text: string;
  "line-number"?: number | null;
  when: Integer64;
  class: Float;
}

/** `failure` of `acme:everything/sink@1.2.0`. */
export interface Failure {
  message: string;
  code?: Integer64 | null;
}

/** `id` of `acme:everything/values@1.2.0`. */
export type Id = Integer64;

/** `ids` of `acme:everything/values@1.2.0`. */
export type Ids = Id[];

/** `point` of `acme:everything/values@1.2.0`. */
export interface ValuesPoint {
  x: number;
  y: number;
}

/**
 * `shape` of `acme:everything/values@1.2.0`.
 * A shape.
 */
export type Shape =
  | "dot"
  /** By its radius. */
  | { circle: Float }
  | { line: [ValuesPoint, ValuesPoint] }
  | { labelled: string | null };

/** `access` of `acme:everything/values@1.2.0`. */
export type Access = ("read" | "write" | "import")[];

/** `everything` of `acme:everything/values@1.2.0`. */
export interface Everything {
  boolean: boolean;
  wide: Integer64;
  signed: Integer64;
  single: Float;
  double: Float;
  letter: string;
  bytes: number[];
  ids: Ids;
  nested?: { some: number | null } | null;
  outcome: { ok: Shape } | { err: Level };
  nothing: { ok: null } | { err: null };
  ages: { [key: string]: number };
  pairs: [number, Id][];
  pair: [Id, string];
  access: Access;
  shapes: (Shape | null)[];
}

/** `float` of `acme:everything/values@1.2.0`. */
export type ValuesFloat = Float;

/** `counter` of `acme:everything/values@1.2.0`. */
export interface Counter {
  handle: number;
  readonly resource?: "acme:everything/values@1.2.0#counter";
}

/** `basket` of `acme:everything/values@1.2.0`. */
export interface Basket {
  handle: number;
  readonly resource?: "acme:everything/values@1.2.0#basket";
}

/**
 * `point` of `acme:everything/other@1.2.0`.
 * Not the point of the other interface.
 */
export interface OtherPoint {
  z: number;
}

/** `string` of `acme:everything/other@1.2.0`. */
export interface OtherString {
  text: string;
}

/** What a host can call, by the name that it is called by. */
export interface Exports {
  greet: (name: string) => string;
  "acme:everything/values@1.2.0#echo": (value: Everything) => Everything;
  echo: Exports["acme:everything/values@1.2.0#echo"];
  "acme:everything/values@1.2.0#same": (value: { ok: Ids } | { err: string }) => { ok: Ids } | { err: string };
  "acme:everything/values@1.2.0#nested": (value?: { some: number | null } | null) => { some: number | null } | null;
  nested: Exports["acme:everything/values@1.2.0#nested"];
  "acme:everything/values@1.2.0#log": (entry: Entry, level?: Level | null) => null;
  log: Exports["acme:everything/values@1.2.0#log"];
  "acme:everything/values@1.2.0#constructor": (function_: string, class_: Bytes, self?: ValuesFloat | null) => number[];
  constructor: Exports["acme:everything/values@1.2.0#constructor"];
  "acme:everything/values@1.2.0#[constructor]counter": () => Counter;
  "[constructor]counter": Exports["acme:everything/values@1.2.0#[constructor]counter"];
  "acme:everything/values@1.2.0#[method]counter.get": (self: Counter) => number;
  "[method]counter.get": Exports["acme:everything/values@1.2.0#[method]counter.get"];
  "acme:everything/values@1.2.0#[static]counter.merge": (one: Counter, two: Counter) => Counter;
  "[static]counter.merge": Exports["acme:everything/values@1.2.0#[static]counter.merge"];
  "acme:everything/values@1.2.0#count": (counter: Counter) => number;
  count: Exports["acme:everything/values@1.2.0#count"];
  "acme:everything/values@1.2.0#[constructor]basket": (size: Integer64 | bigint) => Basket;
  "[constructor]basket": Exports["acme:everything/values@1.2.0#[constructor]basket"];
  // "acme:everything/values@1.2.0#wait" can't be called from outside: a `future` of its type has no text.
  "acme:everything/other@1.2.0#type": (point: OtherPoint) => OtherString;
  type: Exports["acme:everything/other@1.2.0#type"];
  "acme:everything/other@1.2.0#same": () => null;
  /** Ends a resource. */
  "[resource-drop]": (handle: { handle: number }) => null;
}

/** Functions that the host gives, by interface and name. */
export type Imports = {
  "acme:everything/sink@1.2.0": {
    /** Writes an entry. */
    write: (at: Level, entry: Entry) => { ok: Integer64 } | { err: Failure } | Promise<{ ok: Integer64 } | { err: Failure }>;
    flush: () => void | Promise<void>;
    /** Bytes by name. */
    find: (name: string) => number[] | null | Promise<number[] | null>;
  };
  "": {
    now: () => Integer64 | bigint | Promise<Integer64 | bigint>;
  };
};
