'use strict';

/** What a plugin is loaded with: what JavaScript keeps to itself, and what the addon reads. */

const { LoadError } = require('./errors.js');
const { listed } = require('./functions.js');

/** Options whose keys are names of kinds. */
const KINDS = new Set(['grants', 'limits']);

/** Takes options apart. */
function read(options = {}) {
  const { functions, log, onReceipt, ...rest } = options;
  for (const [name, told] of [['log', log], ['onReceipt', onReceipt]]) {
    if (told !== undefined && typeof told !== 'function') {
      throw new LoadError(`\`${name}\`: expected a function, found \`${typeof told}\``, { kind: 'option' });
    }
  }
  return { functions: listed(functions), log, onReceipt, options: JSON.stringify(manifest(rest)), room: room(rest) };
}

/** Keys as the manifest has them: `sandboxesMax` is `sandboxes_max` there, and the limit `bytesIn` is `bytes-in`. */
function manifest(options) {
  const named = Object.entries(keyed(options, '_'));
  return Object.fromEntries(named.map(([key, value]) => [key, KINDS.has(key) && isObject(value) ? keyed(value, '-') : value]));
}

/** An object whose keys' words are joined by this, without what is `undefined`. */
function keyed(object, joint) {
  return Object.fromEntries(present(object).map(([key, value]) => [lower(key, joint), value]));
}

function present(object) {
  return Object.entries(object).filter(([, value]) => value !== undefined);
}

function lower(key, joint) {
  return key.replace(/[A-Z]/g, (letter) => `${joint}${letter.toLowerCase()}`);
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** How many calls can run at one time. */
function room({ sandbox, sandboxesMax, sandboxes_max: most = sandboxesMax }) {
  return sandbox === undefined || sandbox === 'held' ? 1 : (most ?? 16);
}

module.exports = { keyed, read };
