'use strict';

/** Functions of the host: how they are described, and how they are called for a guest. */

const { DeniedError, LoadError } = require('./errors.js');
const { stringify } = require('./json.js');

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'];
const FORM = Symbol('sandbar.form');

/** Says what a function takes and gives as a core module sees it. */
function fn(form, callable) {
  if (typeof form !== 'string' || typeof callable !== 'function') {
    throw new TypeError("expected a form and a function, such as `fn('(i32, text) -> i64', (level, message) => 0n)`");
  }
  return { [FORM]: form, callable };
}

/** The functions of an object by module and name, as a list. */
function listed(functions = {}) {
  return Object.entries(functions).flatMap(([module, names]) =>
    Object.entries(names).map(([name, given]) => {
      const described = given?.[FORM] !== undefined;
      const callable = described ? given.callable : given;
      if (typeof callable !== 'function') {
        const found = `\`functions\`: \`${name}\` of \`${module}\`: expected a function or \`fn(FORM, function)\``;
        throw new LoadError(`${found}, found \`${typeof given}\``, { kind: 'option' });
      }
      return { module, name, form: described ? given[FORM] : undefined, callable };
    }),
  );
}

/** What a function of the host is told of the call that it serves. */
class HostCall {
  #frame;
  /** Bytes that were logged. */
  logged = 0;

  constructor(frame, callId) {
    this.#frame = frame;
    this.callId = callId;
    Object.defineProperty(this, 'logged', { enumerable: false });
  }

  get guest() {
    return this.#frame.terms.name;
  }

  get context() {
    return this.#frame.context;
  }

  get signal() {
    return this.#frame.signal;
  }

  log(level, message) {
    if (!LEVELS.includes(level)) {
      throw new TypeError(`expected one of ${LEVELS.join(', ')}, found \`${level}\``);
    }
    const text = `${message}`;
    this.logged += Buffer.byteLength(text);
    const { name, log } = this.#frame.terms;
    log?.({ level, guest: name, callId: this.callId, message: escaped(text) });
  }
}

/**
 * Calls a function for a guest and gives its reply, or the promise of one. What it throws stays with the frame, so that the
 * error of the call has it as its cause.
 */
function invoke(frame, index, given, callId) {
  const isJson = typeof given === 'string';
  const call = new HostCall(frame, callId);
  try {
    const { callable } = frame.terms.functions[index];
    const gives = callable(...(isJson ? JSON.parse(given) : given), call);
    if (typeof gives?.then !== 'function') return reply(gives, isJson, call);
    return Promise.resolve(gives).then(
      (value) => guarded(frame, () => reply(value, isJson, call)),
      (thrown) => failed(frame, thrown),
    );
  } catch (thrown) {
    return failed(frame, thrown);
  }
}

function guarded(frame, does) {
  try {
    return does();
  } catch (thrown) {
    return failed(frame, thrown);
  }
}

function reply(gives, isJson, call) {
  const value = isJson ? stringify(gives ?? null, true) : plain(gives);
  return call.logged > 0 ? { value: value ?? undefined, logBytes: call.logged } : value;
}

function plain(gives) {
  switch (typeof gives) {
    case 'undefined':
      return null;
    case 'boolean':
    case 'number':
    case 'bigint':
    case 'string':
      return gives;
    case 'object':
      if (gives === null || gives instanceof Uint8Array) return gives;
      if (gives instanceof ArrayBuffer) return new Uint8Array(gives);
  }
  throw new TypeError(`it gave what is no number, text or bytes, but of type ${typeof gives}`);
}

function failed(frame, thrown) {
  const message = told(thrown);
  if (thrown instanceof DeniedError) return { denied: message };
  frame.thrown ??= { value: thrown };
  return { failure: message };
}

/** What an error says. Whatever was thrown, this does not throw. */
function told(thrown) {
  try {
    return thrown instanceof Error ? `${thrown.message}` : `${thrown}`;
  } catch {
    return 'it threw what says nothing';
  }
}

/** Characters that drive a terminal, break lines or turn the direction of text. */
const UNSAFE = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text without them, as what guests say is written: nobody can forge a record. */
function escaped(text) {
  return text.replace(UNSAFE, (it) => NAMED[it] ?? `\\u{${it.codePointAt(0).toString(16)}}`);
}

const NAMED = { '\n': '\\n', '\r': '\\r' };

module.exports = { fn, listed, invoke, told };
