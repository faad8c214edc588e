'use strict';

/** Replacing a plugin while it is called. */

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { LoadError, PluginError, loadPlugin } = require('sandbar');
const { sleep, wat } = require('./world.js');

const version = (number, more = '') => wat(`(module ${more} (func (export "version") (param i32) (result i32) i32.const ${number}))`);

test('a plugin is replaced, and goes back', async () => {
  const plugin = await loadPlugin(version(1), { probation: { calls: 10, failures: 2 } });
  const digest = plugin.digest;
  await plugin.replace(version(2));
  assert.equal(await plugin.version(0), 2);
  assert.notEqual(plugin.digest, digest);
  await assert.rejects(plugin.replace(wat('no plugin')), LoadError);
  assert.equal(plugin.callSync('version', 0), 2);
  assert.equal(plugin.rollBack(), true);
  assert.equal(plugin.callSync('version', 0), 1);
  assert.equal(plugin.rollBack(), false);
  await plugin.replace(wat('(module (func (export "version") (param i32) (result i32) unreachable) (func (export "more") (param i32)))'));
  assert.equal(typeof plugin.more, 'function');
  for (let at = 0; at < 2; at++) await assert.rejects(plugin.version(0), PluginError);
  assert.equal(await plugin.version(0), 1, 'the old one came back by itself');
});

test('calls under load each end on one version, and none fails', async () => {
  for (const sandbox of ['held', { reuse: 20 }]) {
    const plugin = await loadPlugin(version(0), { sandbox });
    let isOver = false;
    const seen = new Set();
    const load = Array.from({ length: 6 }, async (_, at) => {
      while (!isOver) {
        seen.add(at % 3 ? await plugin.call('version', 0) : plugin.callSync('version', 0));
        await sleep(0);
      }
    });
    for (let number = 1; number <= 12; number++) {
      await plugin.replace(version(number));
      if (number % 4 === 0) await assert.rejects(plugin.replace(version(number, '(import "no" "thing" (func))')), LoadError);
      const got = await plugin.call('version', 0);
      assert.equal(got, number);
    }
    isOver = true;
    await Promise.all(load);
    for (const got of seen) assert.ok(got >= 0 && got <= 12);
  }
});

test('a file is watched', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sandbar-'));
  const file = path.join(folder, 'plugin.wat');
  try {
    writeFileSync(file, version(1));
    const plugin = await loadPlugin(file);
    let told;
    const next = () => new Promise((resolve) => (told = resolve));
    const watch = plugin.watch(file, (error) => told(error));
    // The process does not go on for a watched file alone.
    const alive = setInterval(() => {}, 1_000);
    let heard = next();
    writeFileSync(file, version(2, '(memory 1)'));
    assert.equal(await heard, null);
    assert.equal(await plugin.call('version', 0), 2);
    heard = next();
    writeFileSync(file, '(module');
    assert.ok((await heard) instanceof LoadError);
    assert.equal(await plugin.call('version', 0), 2);
    watch.close();
    watch.close();
    writeFileSync(file, version(3));
    await sleep(700);
    assert.equal(await plugin.call('version', 0), 2);
    clearInterval(alive);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
