'use strict';

/** A plugin: what it is loaded with, and its calls. */

const { fileURLToPath } = require('node:url');
const { native } = require('./native.js');
const { desk, register, wait, forget, ticketOnly, enclosing, within, serveHere, tellLogs, tell } = require('./desk.js');
const { PluginError, SandbarError, busy, cancelled, errorOf, refused } = require('./errors.js');
const { stringify } = require('./json.js');
const extism = require('./extism.js');
const { read } = require('./options.js');
const turn = require('./turn.js');

/** What the addon gives of a call besides its value. */
const BYTES = 1;
const RECEIPT = 2;
/** Calls of one plugin that wait or run at one time. */
const CALLS_MAX = 16_384;
/** Exports that are no methods: a promise would take the plugin for another promise. */
const NO_METHODS = new Set(['then', 'toJSON', 'inspect']);
/** Where the addon leaves small answers, until they are taken at once. */
const scratch = new Uint8Array(16_384);
native.lendScratch(scratch);
/** Only this file makes plugins. */
const OURS = Symbol('sandbar');

/** Loads a plugin without blocking this thread. */
async function loadPlugin(source, options) {
  const terms = termsOf(options);
  const from = sourceOf(source);
  const frame = frameIn(terms);
  const ended = await new Promise((resolve) => {
    const ticket = wait({ frame, end: (ended) => resolve({ ticket, ...ended }) });
    frame.ticket = ticket;
    native.load(desk, ticket, from, terms.given);
  });
  forget(frame.ticket);
  return loaded(frame, ended);
}

/** Loads a plugin, and blocks this thread meanwhile. */
function loadPluginSync(source, options) {
  const terms = termsOf(options);
  const frame = frameIn(terms);
  frame.ticket = ticketOnly();
  const ended = within(frame, () => native.loadSync(desk, frame.ticket, sourceOf(source), terms.given, serveHere));
  return loaded(frame, ended);
}

class Plugin {
  #native;
  #terms;
  #isComponent = false;
  #typed = new Map();
  /** Numbers of exports, by all their names. */
  #numbers = new Map();
  #exports = [];
  #name = '';
  /** Whether a call has nobody to tell anything, and asks for nothing. */
  #isPlain;
  #running = 0;
  #idle = [];
  #watches = new Set();

  constructor(ours, terms, nativePlugin) {
    if (ours !== OURS) throw new TypeError('a plugin is made by `loadPlugin`');
    this.#native = nativePlugin;
    this.#terms = terms;
    this.#isPlain = !terms.onReceipt && !terms.log && terms.functions.length === 0;
    this.#look();
  }

  get name() {
    return this.#name;
  }

  get digest() {
    return this.#open().digest();
  }

  get exports() {
    return [...this.#exports];
  }

  call(name, input, options) {
    return this.#begin(name, () => this.#written(name, input), 0, options);
  }

  callBytes(name, bytes, options) {
    return this.#begin(name, () => bytesOf(bytes), BYTES, options);
  }

  callSync(name, input, options) {
    // The way of most calls, without anything that only others need.
    const number = this.#isQuick(options) && !(input instanceof Uint8Array) ? this.#numbers.get(name) : undefined;
    if (number !== undefined) {
      const came = this.#native.quick(number, this.#written(name, input));
      return typeof came === 'string' ? parsed(name, came) : this.#settled(name, came, 0);
    }
    return this.#here(name, () => this.#written(name, input), 0, options);
  }

  callBytesSync(name, bytes, options) {
    const number = this.#isQuick(options) ? this.#numbers.get(name) : undefined;
    if (number !== undefined) {
      const given = bytesOf(bytes);
      const isSmall = typeof given !== 'string' && given.length <= scratch.length;
      if (isSmall) scratch.set(given);
      const came = isSmall ? this.#native.quickSmall(number, given.length) : this.#native.quickBytes(number, given);
      return typeof came === 'number' ? scratch.slice(0, came) : this.#settled(name, came, BYTES);
    }
    return this.#here(name, () => bytesOf(bytes), BYTES, options);
  }

  async replace(source) {
    const [from, frame] = [sourceOf(source), frameIn(this.#terms)];
    const open = this.#open();
    const ended = await this.#counted(
      new Promise((resolve) => {
        const ticket = wait({
          frame,
          end(ended) {
            forget(ticket);
            resolve(ended);
          },
        });
        open.replace(ticket, from);
      }),
    );
    frame.over = true;
    if (ended.failure) throw errorOf(ended.failure, frame.thrown);
    this.#look();
  }

  rollBack() {
    const went = this.#open().rollBack();
    this.#look();
    return went;
  }

  watch(path, told = () => {}) {
    const end = ({ failure }) => {
      if (!failure) this.#look();
      tell(told, failure ? errorOf(failure) : null);
    };
    const ticket = wait({ end }, false);
    const nativeWatch = this.#open().watch(ticket, pathOf(path));
    const watch = new Watch(() => {
      nativeWatch.stop();
      forget(ticket);
      this.#watches.delete(watch);
    });
    this.#watches.add(watch);
    return watch;
  }

  close() {
    for (const watch of this.#watches) watch.close();
    this.#native?.close();
    this.#native = null;
  }

  /** Whether a call on this thread needs nothing that only others do. */
  #isQuick(options) {
    return this.#isPlain && options === undefined && this.#native && !enclosing();
  }

  /** Begins a call, which goes on on another thread where it takes longer. */
  async #begin(name, input, wants, options = {}) {
    const { signal, context, withinMs = 0, receipt = false } = options;
    if (signal?.aborted) throw cancelled(signal.reason);
    const outer = enclosing();
    this.#enter(outer);
    if (this.#running >= CALLS_MAX) throw busy(`${CALLS_MAX} calls of the plugin are waiting`);
    const all = wants | this.#receiptIf(receipt);
    const frame = { terms: this.#terms, parent: outer, context, signal, over: false };
    let given = input();
    this.#running += 1;
    try {
      if (this.#terms.functions.length === 0 && turn.isUsed()) {
        // Whoever calls may change it meanwhile.
        if (given instanceof Uint8Array) given = given.slice();
        await turn.next();
        if (signal?.aborted) throw cancelled(signal.reason);
      }
      const ticket = ticketOnly();
      let ended = this.#open().call(ticket, name, given, all, withinMs, outer?.untilNs ?? 0);
      if (!ended) ended = await this.#end(ticket, frame);
      else if (this.#terms.log) tellLogs();
      frame.over = true;
      return this.#settled(name, ended, all, receipt, frame);
    } finally {
      this.#left();
    }
  }

  /** The end of a call that goes on. */
  #end(ticket, frame) {
    const { signal } = frame;
    return new Promise((resolve) => {
      const abort = () => desk.cancel(ticket);
      signal?.addEventListener('abort', abort, { once: true });
      const end = (ended) => {
        forget(ticket);
        signal?.removeEventListener('abort', abort);
        resolve(ended);
      };
      wait({ frame, end }, true, ticket);
    });
  }

  /** Makes a call on this thread. */
  #here(name, input, wants, options = {}) {
    const { signal, context, withinMs = 0, receipt = false } = options;
    if (signal?.aborted) throw cancelled(signal.reason);
    const outer = enclosing();
    this.#enter(outer);
    const hasFunctions = this.#terms.functions.length > 0;
    if (hasFunctions && this.#running >= this.#terms.room) {
      // It may wait for a function, which runs on this very thread.
      throw busy('`callSync` can\'t wait for the calls that run: wait for them first, or use `call`');
    }
    const all = wants | this.#receiptIf(receipt);
    const frame = { terms: this.#terms, parent: outer, context, signal, over: false };
    const ticket = signal ? ticketOnly() : 0;
    const abort = () => desk.cancel(ticket);
    signal?.addEventListener('abort', abort, { once: true });
    this.#running += 1;
    let ended;
    try {
      const given = input();
      const until = outer?.untilNs ?? 0;
      ended = within(frame, () => this.#native.callSync(ticket, name, given, all, withinMs, until, serveHere));
    } finally {
      this.#left();
      signal?.removeEventListener('abort', abort);
    }
    if (this.#terms.log) tellLogs();
    if (typeof ended === 'string') return parsed(name, ended);
    return this.#settled(name, ended, all, receipt, frame);
  }

  /** What a call came to. */
  #settled(name, { value, failure, receipt }, wants, wantsReceipt = false, frame = undefined) {
    const error = failure && errorOf(failure, frame?.thrown);
    const told = error ? error.receipt : receipt && JSON.parse(receipt);
    if (told && this.#terms.onReceipt) tell(this.#terms.onReceipt, told);
    if (error) {
      if (error.outcome?.kind === 'cancelled' && frame?.signal?.aborted) error.cause = frame.signal.reason;
      throw error;
    }
    const given = wants & BYTES ? value : parsed(name, value, told);
    return wantsReceipt ? { value: given, receipt: told } : given;
  }

  #receiptIf(wanted) {
    return wanted || this.#terms.onReceipt ? RECEIPT : 0;
  }

  /** Refuses a call that a call of the same sandbox would wait for, which would wait for it. */
  #enter(outer) {
    this.#open();
    if (this.#terms.room > 1) return;
    for (let frame = outer; frame; frame = frame.parent) {
      if (frame.terms === this.#terms && !frame.over) {
        throw refused('the plugin is in a call that this call is part of');
      }
    }
  }

  async #counted(promise) {
    this.#running += 1;
    try {
      return await promise;
    } finally {
      this.#left();
    }
  }

  #left() {
    this.#running -= 1;
    if (this.#running === 0) for (const idle of this.#idle.splice(0)) idle();
  }

  #open() {
    if (!this.#native) throw new SandbarError('the plugin is closed');
    return this.#native;
  }

  /** Input as the addon takes it: JSON, or the bytes themselves for stdin. */
  #written(name, input) {
    const isTyped = this.#typed.get(name);
    if (isTyped && input !== undefined && !Array.isArray(input)) return stringify([input], this.#isComponent);
    return input instanceof Uint8Array && isTyped === false ? plainBytes(input) : stringify(input, this.#isComponent);
  }

  /** Looks at what the plugin is now, and gives it a method for each export. */
  #look() {
    if (!this.#native) return;
    const { name, isComponent, exports } = this.#native.guest();
    this.#name = this.#terms.name = name;
    this.#isComponent = isComponent;
    this.#exports = exports.map((it) => it.name);
    const typed = new Map(exports.map((it) => [it.name, it.isTyped]));
    this.#typed = new Map();
    this.#numbers = new Map(this.#exports.map((it) => [it, this.#native.number(it)]));
    for (const [method, full] of methods(this.#exports)) {
      this.#typed.set(method, typed.get(full));
      if (method in this || NO_METHODS.has(method)) continue;
      const value = (...given) => this.call(full, this.#typed.get(full) === false ? given[0] : given);
      Object.defineProperty(this, method, { value, configurable: true, enumerable: false });
    }
  }

  [Symbol.dispose]() {
    this.close();
  }

  /** Waits until its calls have ended, and closes it. */
  async [Symbol.asyncDispose]() {
    if (this.#running > 0) await new Promise((resolve) => this.#idle.push(resolve));
    this.close();
  }
}

/** A file that is watched. */
class Watch {
  #stop;

  constructor(stop) {
    this.#stop = stop;
  }

  close() {
    this.#stop?.();
    this.#stop = undefined;
  }

  [Symbol.dispose]() {
    this.close();
  }
}

/** Names of methods, and what they call: exports by their names and as JavaScript writes them, where one has that name. */
function* methods(exports) {
  const named = new Map();
  for (const full of exports) {
    const short = full.slice(full.lastIndexOf('#') + 1);
    const camel = short.replace(/-([a-z0-9])/g, (_, letter) => letter.toUpperCase());
    for (const name of new Set([full, short, camel])) {
      named.set(name, named.has(name) && name !== full ? null : full);
    }
  }
  for (const [name, full] of named) if (full) yield [name, full];
}

function termsOf(options) {
  const terms = { name: '', ...read(options) };
  register(terms);
  const functions = terms.functions.map(({ module, name, form }) => ({ module, name, form }));
  terms.given = { key: terms.key, options: terms.options, functions, isHeard: terms.log !== undefined };
  return terms;
}

/** The frame of start code. */
function frameIn(terms) {
  return { terms, parent: enclosing(), context: undefined, signal: undefined, over: false };
}

function loaded(frame, { failure }) {
  frame.over = true;
  tellLogs();
  if (failure) throw errorOf(failure, frame.thrown);
  return new Plugin(OURS, frame.terms, native.fetch(desk, frame.ticket, frame.terms.given));
}

function sourceOf(source) {
  if (source instanceof Uint8Array) return plainBytes(source);
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (Array.isArray(source?.wasm)) return { manifest: extism.written(source) };
  return pathOf(source);
}

function pathOf(path) {
  if (typeof path === 'string') return path;
  if (path instanceof URL) return fileURLToPath(path);
  throw new TypeError(`expected a path, a file URL, bytes, or a manifest of Extism, found \`${typeof path}\``);
}

function bytesOf(bytes) {
  if (bytes === undefined || typeof bytes === 'string') return bytes ?? '';
  if (bytes instanceof Uint8Array) return plainBytes(bytes);
  if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes);
  if (ArrayBuffer.isView(bytes)) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  throw new TypeError(`expected bytes or a text, found \`${typeof bytes}\``);
}

/** Bytes that nobody shares: another thread could change them while they are read. */
function plainBytes(bytes) {
  return bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice();
}

function parsed(name, text, receipt) {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `the answer of \`${name}\` is no JSON: ${cause.message}; hint: call it by \`callBytes\``;
    throw new PluginError(message, { outcome: { kind: 'done' }, receipt, cause });
  }
}

module.exports = { Plugin, loadPlugin, loadPluginSync };
