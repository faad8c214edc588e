// What the guest "module" takes and gives. Written by `sandbar types --ts`; written anew, changes are lost.

/** A list or text for a core function, which sees its address and its length. A plain array is one of `i32`. */
export type CoreList =
  | number[]
  | string
  | ArrayBufferView
  | { u8: number[] }
  | { i8: number[] }
  | { u16: number[] }
  | { i16: number[] }
  | { u32: number[] }
  | { i32: number[] }
  | { u64: Integer64[] }
  | { i64: Integer64[] }
  | { f32: Float[] }
  | { f64: Float[] }
  | { utf8: string }
  | { base64: string };

/** A 64-bit integer: beyond 2^53 a string, which `BigInt` reads. */
export type Integer64 = number | `${bigint}`;

/** A float: a string where JSON has no number, which `Number` reads. */
export type Float = number | "NaN" | "Infinity" | "-Infinity";

/** What a host can call, by the name that it is called by. */
export interface Exports {
  "transform_data": (input?: unknown) => unknown;
  sum: (...args: [number, number, Integer64] | [CoreList, Integer64]) => number;
  "mean-of": (p0: Float, p1: Integer64) => Float;
  two: (p0: Float) => [number, Integer64];
  none: (p0: string) => null;
  // "class" can't be called from outside: a `reference` of its type has no text.
}

/** Functions that the host gives, by interface and name. */
export type Imports = Record<string, never>;
