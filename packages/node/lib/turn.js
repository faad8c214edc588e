'use strict';

/** Turns of the event loop, and how much of one calls may have that end at once. */

const { performance } = require('node:perf_hooks');
const { setImmediate } = require('node:timers');

/** How long calls that end at once may have of one turn. */
const TURN_MS = 1;

/** When calls that ended at once began in this turn. */
let began;

/**
 * Whether calls have had enough of this turn of the event loop: those that end at once would otherwise keep all others waiting, a
 * loop of them for as long as it takes.
 */
function isUsed() {
  if (began === undefined) {
    began = performance.now();
    setImmediate(() => {
      began = undefined;
    });
    return false;
  }
  return performance.now() - began > TURN_MS;
}

/** The next turn of the event loop. */
function next() {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

module.exports = { isUsed, next };
