'use strict';

/** Manifests of Extism's, as its JavaScript SDK has them and as its files do. */

const { Buffer } = require('node:buffer');
const { fileURLToPath } = require('node:url');
const { keyed } = require('./options.js');

/** A manifest as JSON: `allowedHosts` is `allowed_hosts` there, and bytes are base64. */
function written(manifest) {
  const { wasm, memory, ...rest } = manifest;
  return JSON.stringify({
    ...keyed(rest, '_'),
    memory: memory && keyed(memory, '_'),
    wasm: Array.isArray(wasm) ? wasm.map(moduleOf) : wasm,
  });
}

function moduleOf(wasm) {
  if (typeof wasm !== 'object' || wasm === null) return wasm;
  const { path, data, ...rest } = wasm;
  const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
  return {
    ...rest,
    path: path instanceof URL ? fileURLToPath(path) : path,
    data: bytes instanceof Uint8Array ? Buffer.from(bytes).toString('base64') : bytes,
  };
}

module.exports = { written };
