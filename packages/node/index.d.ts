/** Runs untrusted WebAssembly plugins inside a Node.js program. The manual is `docs/node.md`. */

/** Where a plugin comes from: a path, a `file:` URL, or bytes, binary or text (WAT); or a manifest of Extism. */
export type Source = string | URL | Uint8Array | ArrayBuffer | ExtismManifest;

/** A manifest of Extism's, with its own keys, `allowed_hosts` or `allowedHosts`. Paths are seen from `base`. */
export interface ExtismManifest {
  wasm: ExtismModule[];
  memory?: { maxPages?: number; maxHttpResponseBytes?: number; maxVarBytes?: number } & Record<string, unknown>;
  config?: Record<string, string>;
  allowedHosts?: string[];
  allowedPaths?: Record<string, string>;
  timeoutMs?: number;
  [key: string]: unknown;
}

/** One of its modules, by `path`, `data` (bytes, or base64) or `url`. */
export interface ExtismModule {
  path?: string | URL;
  data?: Uint8Array | ArrayBuffer | string;
  url?: string;
  headers?: Record<string, string>;
  method?: string;
  name?: string;
  hash?: string;
}

/** Loads a plugin without blocking the event loop.
 *
 * An interface `T` of the plugin's functions types its methods and `call`:
 * `loadPlugin<{ transform_data(input: Users): Adults }>('filter.wasm')`.
 *
 * @throws {LoadError} It can't be read or compiled, imports what nobody gives it, or its start code did not end well.
 */
export function loadPlugin<T extends object = {}>(source: Source, options?: PluginOptions): Promise<Plugin<T> & Methods<T>>;

/** Loads a plugin, and blocks the thread meanwhile; for the start of a program. Functions that give promises fail here. */
export function loadPluginSync<T extends object = {}>(source: Source, options?: PluginOptions): Plugin<T> & Methods<T>;

/** Sets up the one host of the process, which all its threads share. Call it before the first plugin is loaded.
 *
 * @throws {LoadError} A plugin was loaded already, or a value is not what it takes.
 */
export function configure(options: HostOptions): void;

/** Says what a function takes and gives as a core module sees it, such as `(i32, text) -> i64`.
 *
 * | type | in JavaScript |
 * |---|---|
 * | `i32` `u32` `f32` `f64` | number |
 * | `i64` `u64` | bigint; a number is taken too |
 * | `bool` | boolean |
 * | `text` | string; a pointer and a length, arguments only |
 * | `bytes` | Uint8Array; a pointer and a length, arguments only |
 * | `block` | Uint8Array; a block of a plugin of Extism. A string is taken too |
 */
export function fn<F extends (...given: any[]) => unknown>(form: string, callable: F): DescribedFunction;

/** A function with its form; made by {@link fn}. */
export interface DescribedFunction {
  readonly callable: (...given: any[]) => unknown;
}

/** A function of the host. After its arguments it gets a {@link HostCall}. It may be async where the plugin is called by `call`. */
export type HostFunction = DescribedFunction | ((...given: any[]) => unknown);

/** What a function of the host is told of the call that it serves. */
export interface HostCall<C = unknown> {
  /** The call's name, as in its receipt. */
  readonly callId: string;
  /** The plugin's name. */
  readonly guest: string;
  /** What the caller gave by `context`. */
  readonly context: C;
  /** The signal of the caller, if there is one. */
  readonly signal: AbortSignal | undefined;
  /** Logs a line for the guest, which counts towards its limit of log bytes. */
  log(level: LogLevel, message: string): void;
}

/** What a plugin is loaded with. Keys and forms are those of a guest in a manifest; all may be left out. */
export interface PluginOptions {
  /** Its name in receipts and log records; otherwise that of its file. */
  name?: string;
  /** The folder that granted folders are seen from; otherwise the one that the process runs in. */
  base?: string;
  /** What it may touch, by the kinds and forms of `docs/grants.md`. Nothing is granted otherwise. */
  grants?: Grants;
  /** What each call may use, by the names of `docs/limits.md`: `'2s'`, `'64MiB'`, a number, or `'none'`.
   *  Otherwise ten seconds of wall time, 256 MiB of memory, 64 MiB of output and 1 MiB of log. */
  limits?: Limits;
  /** What the plugin's dialect can ask for by name. */
  config?: Record<string, string>;
  /** How its sandboxes live. `'held'`, the default: one, which keeps what the plugin keeps, and calls wait for each other.
   *  `'fresh'`: a new one for each call. Or each for so many calls. */
  sandbox?: 'held' | 'fresh' | { reuse: number; idle?: string };
  /** Sandboxes at one time, where it is not held; 16 otherwise. */
  sandboxesMax?: number;
  /** Whether fuel is counted exactly. */
  fuelMetered?: boolean;
  /** Whether a held sandbox is made anew after a call that ended it, which is so unless it says `false`. */
  rebuild?: boolean;
  /** For how many calls a new version is watched after `replace`, and how many of them may not end well. */
  probation?: { calls: number; failures: number };
  /** What typed exports of a core module leave in its memory, which their types do not tell: `{ greet: 'text' }`. */
  results?: Record<string, string>;
  /** So many bytes of keys and values that stay between its calls, however its sandboxes live: `'64KiB'`, or a number. */
  state?: string | number;
  /** Functions that it may import: by module and name, or by interface and name for a component. */
  functions?: Record<string, Record<string, HostFunction>>;
  /** Hears what it says, and what is said of it. */
  log?: (record: LogRecord) => void;
  /** Hears the receipt of each call. */
  onReceipt?: (receipt: Receipt) => void;
}

export interface Grants {
  args?: string[];
  env?: string[];
  dir?: string[];
  clock?: 'coarse' | 'fine';
  random?: boolean;
  http?: string[];
  tcp?: string[];
  udp?: string[];
  lookup?: string[];
}

export interface Limits {
  wall?: string;
  cpu?: string;
  fuel?: number | string;
  memory?: number | string;
  tables?: number | string;
  instances?: number | string;
  handles?: number | string;
  output?: number | string;
  log?: number | string;
  bytesIn?: number | string;
  bytesOut?: number | string;
  connections?: number | string;
}

/** How the host of the process is set up. */
export interface HostOptions {
  /** Where compiled plugins are kept: a folder that only this user may write to, or `false` for nowhere. Otherwise the
   *  user's cache folder. */
  cache?: string | boolean;
  /** A program that compiles in a process of its own, bounded in time and memory: `sandbar`. Otherwise this process does. */
  compiler?: string;
  /** Sandboxes at one time, over all plugins; 1,000 otherwise. */
  sandboxesMax?: number;
  /** Threads that guests run on at one time; 64 otherwise. There are no more than there is work for. */
  threadsMax?: number;
  /** How guests that run are interrupted. `'signals'`, the default, by a signal to their thread, on Linux on
   *  x86-64; `'epochs'` by checks in their code, with which they compute up to twice as long. */
  interruption?: 'epochs' | 'signals';
}

/** Of one call. */
export interface CallOptions {
  /** Cancels it. */
  signal?: AbortSignal;
  /** Given to the functions that the plugin calls. */
  context?: unknown;
  /** How much wall time it may take in milliseconds, where that is less than the plugin's limit. */
  withinMs?: number;
  /** Whether its receipt is wanted too. */
  receipt?: boolean;
}

/** The functions of a plugin as methods: async, whatever they are in `T`. */
export type Methods<T> = {
  [K in Exclude<keyof T, keyof Plugin>]: T[K] extends (...given: infer A) => infer R
    ? (...given: A) => Promise<Awaited<R>>
    : never;
};

/** What a function of `T` gives. */
type Given<T, K extends keyof T> = T[K] extends (...given: any[]) => infer R ? Awaited<R> : never;

/** What `call` takes for a function of `T`: all arguments in an array, or the only one where that is no array. */
type Taken<T, K extends keyof T> = T[K] extends (...given: infer A) => unknown
  ? A extends []
    ? A
    : A extends [(infer One)?]
      ? Exclude<One, readonly unknown[]> | A
      : A
  : never;

/** Any name, where `T` names none. */
type Untyped<T> = [keyof T] extends [never] ? string : never;

/** A plugin. Each of its functions is also a method, by its name and as JavaScript would write it. */
export class Plugin<T extends object = {}> {
  private constructor();
  /** Its name. */
  readonly name: string;
  /** The digest of what new calls go to. */
  readonly digest: string;
  /** What can be called. */
  readonly exports: string[];

  /** Calls a function, on another thread where it takes longer. `input` becomes the JSON on its stdin, or for a typed function its arguments: all
   *  of them in an array, or the only one where that is no array.
   *
   * @throws {PluginError} How the call ended, where it gave no answer.
   */
  call<K extends keyof T & string>(name: K, input: Taken<T, K>, options: CallOptions & { receipt: true }): Promise<WithReceipt<Given<T, K>>>;
  call<K extends keyof T & string>(name: K, input?: Taken<T, K>, options?: CallOptions): Promise<Given<T, K>>;
  call<R = any>(name: Untyped<T>, input: unknown, options: CallOptions & { receipt: true }): Promise<WithReceipt<R>>;
  call<R = any>(name: Untyped<T>, input?: unknown, options?: CallOptions): Promise<R>;

  /** Calls a function over stdin and stdout with bytes as they are, as `call` does. */
  callBytes(name: string, bytes: Uint8Array | ArrayBuffer | string | undefined, options: CallOptions & { receipt: true }): Promise<WithReceipt<Uint8Array>>;
  callBytes(name: string, bytes?: Uint8Array | ArrayBuffer | string, options?: CallOptions): Promise<Uint8Array>;

  /** As `call`, on this thread, which waits: for short calls, which take a few microseconds. Functions of the host that give
   *  promises fail here. */
  callSync<K extends keyof T & string>(name: K, input: Taken<T, K>, options: CallOptions & { receipt: true }): WithReceipt<Given<T, K>>;
  callSync<K extends keyof T & string>(name: K, input?: Taken<T, K>, options?: CallOptions): Given<T, K>;
  callSync<R = any>(name: Untyped<T>, input: unknown, options: CallOptions & { receipt: true }): WithReceipt<R>;
  callSync<R = any>(name: Untyped<T>, input?: unknown, options?: CallOptions): R;

  /** As `callBytes`, on this thread, which waits. */
  callBytesSync(name: string, bytes: Uint8Array | ArrayBuffer | string | undefined, options: CallOptions & { receipt: true }): WithReceipt<Uint8Array>;
  callBytesSync(name: string, bytes?: Uint8Array | ArrayBuffer | string, options?: CallOptions): Uint8Array;

  /** Replaces it: new calls go to the new version as soon as it is loaded, those that run end on the old one.
   *
   * @throws {LoadError} The new version can't be loaded; the old one goes on.
   */
  replace(source: Source): Promise<void>;

  /** Goes back to the version before the last replacement, where there is one still: with `probation`. */
  rollBack(): boolean;

  /** Replaces it whenever a file changes, and tells how that went: `null`, or why not. The process does not go on for it. */
  watch(path: string | URL, told?: (error: LoadError | null) => void): Watch;

  /** Lets it go. Calls that run end first, and no others begin. */
  close(): void;
  [Symbol.dispose](): void;
  /** Waits for the calls that run, and closes it. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A file that is watched, until this or its plugin is closed. */
export interface Watch {
  close(): void;
  [Symbol.dispose](): void;
}

export interface WithReceipt<R> {
  value: R;
  receipt: Receipt;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

export interface LogRecord {
  level: LogLevel;
  guest: string;
  callId: string;
  message: string;
}

/** How a call ended: `docs/outcomes.md`. */
export type Outcome =
  | { kind: 'done' }
  | { kind: 'failed'; code: number | null; message: string }
  | { kind: 'stopped'; limit: string }
  | { kind: 'trapped'; message: string }
  | { kind: 'refused'; why: Refusal }
  | { kind: 'cancelled' }
  | { kind: 'fault'; id: string };

export type Refusal =
  | { because: 'grant'; denial: Denial }
  | { because: 'busy'; retry_after_s: number }
  | { because: 'event'; message: string }
  | { because: 'draining' };

export interface Denial {
  grant: string;
  asked: string;
  allow: string;
}

/** What a call did and used: `docs/receipts.md`. */
export interface Receipt {
  version: number;
  call: string;
  at_ms: number;
  guest: string;
  digest: string;
  shape: string;
  trigger: string;
  source: string;
  event: string;
  sandbox?: { id: string; call: number };
  outcome: Outcome;
  used: Record<string, number>;
  shared?: string[];
  grants?: Record<string, number>;
  denials?: Denial[];
  denials_dropped?: number;
}

/** What all errors of this package are. */
export class SandbarError extends Error {}

/** A plugin can't be loaded or replaced. */
export class LoadError extends SandbarError {
  /** What was wrong: the guest itself, a grant, its start code, an option, or the host's set-up. */
  readonly kind: 'load' | 'grant' | 'start' | 'self-test' | 'manifest' | 'option' | 'setup';
  /** How its start code ended. */
  readonly outcome?: Outcome;
}

/** A call gave no answer. Of this class itself are calls that ended well, but whose answer is no JSON. */
export class PluginError extends SandbarError {
  readonly outcome: Outcome;
  /** What the call did and used; `null` where none could begin. */
  readonly receipt: Receipt | null;
}

/** The guest itself said that it failed. It can be called again as it is. */
export class FailedError extends PluginError {
  readonly outcome: Extract<Outcome, { kind: 'failed' }>;
}

/** A limit was used up. */
export class StoppedError extends PluginError {
  readonly outcome: Extract<Outcome, { kind: 'stopped' }>;
  /** Its name. */
  readonly limit: string;
}

/** The guest broke. */
export class TrappedError extends PluginError {
  readonly outcome: Extract<Outcome, { kind: 'trapped' }>;
}

/** The call was not let in, or asked for what is not granted. */
export class RefusedError extends PluginError {
  readonly outcome: Extract<Outcome, { kind: 'refused' }>;
}

/** The call was cancelled; `cause` is the reason that its signal has. */
export class CancelledError extends PluginError {
  readonly outcome: Extract<Outcome, { kind: 'cancelled' }>;
}

/** The host failed. Where a function of the host threw, `cause` is what it threw. */
export class FaultError extends PluginError {
  readonly outcome: Extract<Outcome, { kind: 'fault' }>;
}

/** What a function of the host throws to refuse what it was asked for: the call ends as refused, with this in its receipt. */
export class DeniedError extends SandbarError {
  constructor(asked: string);
}
