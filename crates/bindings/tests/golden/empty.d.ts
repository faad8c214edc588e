// What the guest "empty" takes and gives. Written by `sandbar types --ts`; written anew, changes are lost.

/** What a host can call, by the name that it is called by. */
export interface Exports {
}

/** Functions that the host gives, by interface and name. */
export type Imports = Record<string, never>;
