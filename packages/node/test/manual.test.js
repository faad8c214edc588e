'use strict';

/** The snippets of the manual run, each in a process of its own, and so does the example. */

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { readFileSync, rmSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { repository } = require('./world.js');

function runs(name, code) {
  // Beside the tests, where `sandbar` is found.
  const file = path.join(__dirname, `.${name}.mjs`);
  writeFileSync(file, code);
  try {
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [file], { cwd: repository, encoding: 'utf8' });
    assert.deepEqual([status, signal], [0, null], stderr);
    return stdout;
  } finally {
    rmSync(file);
  }
}

test('the snippets of the manual', async (it) => {
  for (const [page, least] of [['node', 6], ['extism', 1]]) {
    const manual = readFileSync(path.join(repository, `docs/${page}.md`), 'utf8');
    const snippets = [...manual.matchAll(/^```js\n(.*?)^```$/gms)];
    assert.ok(snippets.length >= least);
    for (const [at, [, code]] of snippets.entries()) {
      const name = `${page}-${manual.slice(0, snippets[at].index).split('\n').length}`;
      await it.test(name, () => runs(name, `import assert from 'node:assert/strict';\n${code}`));
    }
  }
});

test('the example', () => {
  const file = path.join(repository, 'packages/node/examples/filter.mjs');
  const guest = JSON.stringify(path.join(repository, 'examples/quickstart/users.wasm'));
  const code = readFileSync(file, 'utf8').replace(/new URL\(.*\)/, guest);
  assert.equal(runs('example', code), 'Ada: 1 of 2\n');
});

test('the package is the same by import and by require', async () => {
  const imported = await import('sandbar');
  const required = require('sandbar');
  const { default: _, ...named } = imported;
  assert.deepEqual(Object.keys(named).sort(), Object.keys(required).sort());
  for (const [name, value] of Object.entries(named)) assert.equal(value, required[name], name);
});
