'use strict';

/** The log processor of `examples/plugin-host` in JavaScript, as its users meet it. */

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { copyFileSync, cpSync, mkdtempSync, rmSync } = require('node:fs');
const { once } = require('node:events');
const os = require('node:os');
const path = require('node:path');
const { built, repository } = require('./world.js');

test('records go through a chain of plugins', async () => {
  const example = path.join(repository, 'examples/plugin-host');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sandbar-host-'));
  cpSync(path.join(example, 'plugins'), folder, { recursive: true });
  for (const [name, guest] of [['10-level', 'log-level'], ['20-redact', 'log-redact'], ['30-region', 'log-region']]) {
    copyFileSync(built(`${guest}.wasm`), path.join(folder, `${name}.wasm`));
  }
  // Beside the tests, where `sandbar` is found.
  const program = path.join(__dirname, '.host.mjs');
  copyFileSync(path.join(example, 'node/host.mjs'), program);
  const host = spawn(process.execPath, [program, folder, '0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    const url = /http:\S+/.exec(String(await once(host.stderr, 'data')))[0];
    const post = (body) => fetch(`${url}/logs`, { method: 'POST', body });
    const answer = await post('{"message": "error: login of ada@example.com"}\n{"message": "debug: nothing"}\n');
    assert.equal(await answer.text(), '{"level":"error","message":"error: login of ***","region":"Europe, north"}\n');
    assert.equal((await post('no record')).status, 400);
    const [level, , region] = await (await fetch(url)).json();
    assert.deepEqual(level.outcomes, { done: 2 });
    assert.match(region.denials['write /regions/last'], /^dir = /);
  } finally {
    host.kill();
    rmSync(program);
    rmSync(folder, { recursive: true });
  }
});
