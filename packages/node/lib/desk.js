'use strict';

/**
 * Where the addon's threads leave what is for this one, and the calls that wait for it.
 *
 * A frame is a call that may ask for functions of the host. While one of its functions runs, whatever that calls lies in it:
 * such a call ends no later, and can't be one that the frame itself keeps waiting. A function that waits is followed by
 * `AsyncLocalStorage`.
 */
const { AsyncLocalStorage } = require('node:async_hooks');
const { setInterval, clearInterval } = require('node:timers');
const { native } = require('./native.js');
const { invoke } = require('./functions.js');

/** What waits, by its ticket. */
const waiting = new Map();
/** What plugins were loaded with, by their keys: for functions that are called without a call. */
const known = new Map();
const gone = new FinalizationRegistry((key) => known.delete(key));
const desk = new native.Desk(serve);
const LONG_MS = 2 ** 31 - 1;

let tickets = 0;
let keys = 0;
let running = 0;
/** Keeps the process going while calls run. */
let alive;
/** The innermost frame whose function runs while a `callSync` waits for it. */
let here;
/** Follows functions; made with the first plugin that has any, since it makes promises slower. */
let following;

/** Gives what a plugin is loaded with a key. */
function register(terms) {
  terms.key = ++keys;
  if (terms.functions.length > 0) {
    following ??= new AsyncLocalStorage();
  }
  known.set(terms.key, new WeakRef(terms));
  gone.register(terms, terms.key);
}

/** Lets something wait for its end; `keepsAlive` says whether the process does too. */
function wait(end, keepsAlive = true, ticket = ticketOnly()) {
  waiting.set(ticket, { ...end, keepsAlive });
  if (keepsAlive && running++ === 0) alive = setInterval(() => {}, LONG_MS);
  return ticket;
}

/** Forgets what waits. */
function forget(ticket) {
  const end = waiting.get(ticket);
  if (!waiting.delete(ticket)) return;
  if (end.keepsAlive && --running === 0) clearInterval(alive);
}

/** A ticket for a call that nobody waits for, so that it can be cancelled. */
function ticketOnly() {
  return ++tickets;
}

/** The frame in which this code runs. One that is over keeps nobody waiting, whatever goes on after it. */
function enclosing() {
  let frame = here ?? following?.getStore();
  while (frame?.over) frame = frame.parent;
  return frame;
}

/** Serves the functions of one `callSync`, and gives what that gives. */
function within(frame, calls) {
  const outer = serving;
  serving = frame;
  try {
    return calls();
  } finally {
    serving = outer;
    frame.over = true;
  }
}

let serving;

/** Serves a function while a `callSync` waits. */
function serveHere(index, given, callId, deadlineNs) {
  const frame = serving;
  frame.untilNs = deadlineNs;
  const outer = here;
  here = frame;
  let reply;
  try {
    reply = invoke(frame, index, given, callId);
  } finally {
    here = outer;
  }
  if (typeof reply?.then !== 'function') return reply;
  reply.then(undefined, () => {});
  const { module, name } = frame.terms.functions[index];
  return { failure: `\`${name}\` of \`${module}\` gave a promise, and \`callSync\` can't wait for one: use \`call\`` };
}

/** Serves what lies on the desk. */
function serve() {
  const messages = desk.take();
  // First of all what was logged: it was said before those calls ended.
  tellLogs();
  for (const { ticket, ended, asked } of messages) {
    const waits = waiting.get(ticket);
    if (asked) answer(asked, waits?.frame ?? frameOf(asked.key));
    else waits?.end(ended);
  }
}

function frameOf(key) {
  const terms = known.get(key)?.deref();
  return terms && { terms, parent: undefined, over: false };
}

function answer({ id, index, given, call, deadlineNs }, frame) {
  if (!frame) {
    desk.answer(id, { failure: 'the plugin is no longer there' });
    return;
  }
  frame.untilNs = deadlineNs;
  const reply = following.run(frame, invoke, frame, index, given, call);
  if (typeof reply?.then !== 'function') desk.answer(id, reply);
  else reply.then((value) => desk.answer(id, value));
}

/** Tells what was logged. */
function tellLogs() {
  for (const { key, ...record } of desk.takeLogs()) {
    const told = key === undefined ? undefined : known.get(key)?.deref()?.log;
    if (told) tell(told, record);
    else if (key === undefined) process.emitWarning(record.message, 'SandbarWarning');
  }
}

/** Tells the host program something. What it throws is its own, and nothing of ours ends by it. */
function tell(told, value) {
  try {
    told(value);
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown;
    });
  }
}

module.exports = { desk, register, wait, forget, ticketOnly, enclosing, within, serveHere, tellLogs, tell };
