// What the guest "async" takes and gives. Written by `sandbar types --ts`; written anew, changes are lost.

/** `self` of `acme:keywords/a`. */
export interface ASelf {
  record: number;
  int: number;
  class: number;
  none: number;
  "a-1": number;
  a1: number;
}

/** `option` of `acme:keywords/a`. */
export type Option = "none" | "some" | "self" | "ok";

/** `self` of `acme:keywords/b`. */
export type BSelf =
  | { result: number }
  | "err"
  | { box: string };

/** `promise` of `acme:keywords/b`. */
export type BPromise = ("type" | "fn" | "loop" | "read" | "read-all")[];

/** What a host can call, by the name that it is called by. */
export interface Exports {
  list: (pass: ASelf, lambda: BPromise) => Option;
  "list-async": (arguments_: BSelf, eval_: number, impl: number) => number[];
  call: (export_: string, options: string) => null;
  clone: () => null;
  none: () => null;
  type: (a1: number, a1_2: number) => null;
}

/** Functions that the host gives, by interface and name. */
export type Imports = {
  "": {
    int: (def: ASelf, call: Option, self: number) => BSelf | Promise<BSelf>;
  };
};
