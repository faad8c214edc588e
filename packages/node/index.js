'use strict';

/**
 * Runs untrusted WebAssembly plugins inside a Node.js program. What it gives is described in `index.d.ts`.
 */
const { native } = require('./lib/native.js');
const errors = require('./lib/errors.js');
const { fn } = require('./lib/functions.js');
const { Plugin, loadPlugin, loadPluginSync } = require('./lib/plugin.js');

/** Sets the process's host up in another way; see `index.d.ts`. */
function configure(options) {
  try {
    native.configure(options);
  } catch (error) {
    throw new errors.LoadError(error.message, { kind: 'option' });
  }
}

module.exports.configure = configure;
module.exports.loadPlugin = loadPlugin;
module.exports.loadPluginSync = loadPluginSync;
module.exports.fn = fn;
module.exports.Plugin = Plugin;
module.exports.SandbarError = errors.SandbarError;
module.exports.LoadError = errors.LoadError;
module.exports.PluginError = errors.PluginError;
module.exports.FailedError = errors.FailedError;
module.exports.StoppedError = errors.StoppedError;
module.exports.TrappedError = errors.TrappedError;
module.exports.RefusedError = errors.RefusedError;
module.exports.CancelledError = errors.CancelledError;
module.exports.FaultError = errors.FaultError;
module.exports.DeniedError = errors.DeniedError;
