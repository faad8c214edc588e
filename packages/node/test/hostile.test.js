'use strict';

/** Plugins that mean harm: each ends its own call, and nothing else. */

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { CancelledError, LoadError, PluginError, StoppedError, TrappedError, fn, loadPlugin, loadPluginSync } = require('sandbar');
const { core, hostile, sleep, users, people, adults, wat } = require('./world.js');

const asking = (ask, more) => loadPlugin(core, { functions: { env: { ask: fn('(i32) -> i32', ask) } }, ...more });
const POLICIES = ['held', 'fresh', { reuse: 3 }];

test('one that never ends is stopped at its deadline, and the event loop goes on meanwhile', async () => {
  for (const sandbox of POLICIES) {
    const plugin = await asking(() => 0, { limits: { wall: '150ms' }, sandbox });
    let turns = 0;
    const turning = setInterval(() => (turns += 1), 2);
    const since = performance.now();
    await assert.rejects(plugin.call('spin', 1), (error) => error instanceof StoppedError && error.limit === 'wall' && error.receipt.outcome.kind === 'stopped');
    const took = performance.now() - since;
    clearInterval(turning);
    assert.ok(turns > 10, `${turns} turns`);
    assert.ok(took >= 149 && took < 2_000, `${took} ms`);
    assert.throws(() => plugin.callSync('spin', 1, { withinMs: 30 }), StoppedError);
    assert.equal(await plugin.call('add', [1, 2]), 3, 'the next call is another one');
  }
});

/** Without functions, calls begin on JavaScript's own thread. */
const alone = wat(`(module
  (func (export "spin") (param i32) (loop (br 0)))
  (func (export "work") (param i32) (result i32)
    (loop $more (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 7))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))`);

test('a call that computes leaves the event loop to others, and many short ones do', async () => {
  for (const sandbox of POLICIES) {
    const plugin = await loadPlugin(alone, { limits: { wall: '5s' }, sandbox });
    let turns = 0;
    const turning = setInterval(() => (turns += 1), 1);
    const isStopped = (error) => error instanceof StoppedError && error.limit === 'wall';
    await assert.rejects(plugin.call('spin', 1, { withinMs: 200 }), isStopped);
    assert.ok(turns > 10, `${turns} turns while one spins`);
    const aborted = AbortSignal.timeout(50);
    await assert.rejects(plugin.call('spin', 1, { signal: aborted }), CancelledError);
    const others = [plugin.call('work', 30_000_000), plugin.call('add', [1, 2]), plugin.call('add', [3, 4])];
    assert.deepEqual(await Promise.all(others), [7, 3, 7]);
    turns = 0;
    let calls = 0;
    for (; turns < 5 && calls < 1_000_000; calls += 1) assert.equal(await plugin.call('add', [calls, 1]), calls + 1);
    assert.equal(turns, 5, `${calls} calls in a row let nobody else run`);
    clearInterval(turning);
  }
});

test('one that loops in its start code does not load', async () => {
  for (const name of ['spin-start.wat', 'spin-init.wat']) {
    const limits = { wall: '100ms' };
    const isRight = (error) => error instanceof LoadError && error.outcome?.limit === 'wall';
    const since = performance.now();
    await assert.rejects(loadPlugin(hostile(name), { limits }), isRight, name);
    assert.throws(() => loadPluginSync(hostile(name), { limits }), isRight, name);
    assert.ok(performance.now() - since < 3_000);
  }
});

test('one that takes all memory gets its limit', async () => {
  const bomb = wat(`(module (memory (export "memory") 1)
    (func (export "grow") (param i32) (result i32)
      (loop $more (br_if $more (i32.ne (memory.grow (local.get 0)) (i32.const -1))))
      (memory.size))
    (func $deep (export "deep") (param i32) (call $deep (local.get 0)) (call $deep (local.get 0))))`);
  const plugin = await loadPlugin(bomb, { limits: { memory: '8MiB' } });
  assert.equal(await plugin.call('grow', 1), 128);
  await assert.rejects(plugin.call('deep', 1), TrappedError);
  assert.throws(() => plugin.callSync('deep', 1), TrappedError);
  await assert.rejects(loadPlugin(hostile('big-initial.wat'), { limits: { memory: '1MiB' } }), LoadError);
});

test('one that floods its output is stopped', async () => {
  const plugin = await loadPlugin(hostile('stdout-flood-function.wat'), { limits: { output: '1MiB', wall: '5s' } });
  const [name] = plugin.exports;
  await assert.rejects(plugin.callBytes(name), (error) => error instanceof StoppedError && error.limit === 'output');
});

test('a storm of calls of a function ends at the deadline, and others are served meanwhile', async () => {
  let calls = 0;
  const plugin = await asking(() => (calls++, 0), { limits: { wall: '300ms' } });
  const other = await loadPlugin(users);
  const storm = plugin.call('storm', 2 ** 30);
  storm.catch(() => {});
  for (let at = 0; at < 20; at++) assert.deepEqual(await other.call('transform_data', people), adults);
  await assert.rejects(storm, StoppedError);
  assert.ok(calls > 10);
  assert.throws(() => plugin.callSync('storm', 2 ** 30), StoppedError);
  assert.equal(await plugin.call('storm', 100), 7);
  assert.equal(plugin.callSync('storm', 100), 7);
});

test('a function that never comes back ends with the call that asked it', async () => {
  const plugin = await asking(() => new Promise(() => {}), { limits: { wall: '80ms' } });
  for (let at = 0; at < 3; at++) await assert.rejects(plugin.call('ask', 1), (error) => error instanceof StoppedError && error.limit === 'wall');
  const plain = await loadPlugin(core, { functions: { env: { ask: () => new Promise(() => {}) } }, limits: { wall: '80ms' } });
  await assert.rejects(plain.call('ask', 1), (error) => error instanceof StoppedError && error.limit === 'wall');
});

test('a call is cancelled at any point', async () => {
  for (const sandbox of POLICIES) {
    for (const describe of [(ask) => fn('(i32) -> i32', ask), (ask) => ask]) {
      let asked = () => {};
      const functions = { env: { ask: describe(() => (asked(), new Promise(() => {}))) } };
      const plugin = await loadPlugin(core, { functions, sandbox });
      const reason = new Error('enough');
      const isRight = (error) => error instanceof CancelledError && error.cause === reason;
      await assert.rejects(plugin.call('add', [1, 2], { signal: AbortSignal.abort(reason) }), isRight, 'before');
      assert.throws(() => plugin.callSync('add', [1, 2], { signal: AbortSignal.abort(reason) }), isRight);
      for (const [name, ms] of [['spin', 0], ['spin', 1], ['spin', 25], ['ask', 0], ['ask', 25]]) {
        const controller = new AbortController();
        const called = plugin.call(name, 1, { signal: controller.signal });
        const waits = plugin.call('spin', 1, { signal: controller.signal });
        setTimeout(() => controller.abort(reason), ms);
        const since = performance.now();
        for (const { status, reason: error } of await Promise.allSettled([called, waits])) {
          assert.ok(status === 'rejected' && isRight(error), `${name} after ${ms} ms: ${error}`);
        }
        assert.ok(performance.now() - since < 1_500);
      }
      const controller = new AbortController();
      const called = plugin.call('ask', 1, { signal: controller.signal });
      asked = () => controller.abort(reason);
      await assert.rejects(called, isRight, 'in a function');
      assert.equal(await plugin.call('add', [4, 5]), 9);
    }
  }
  const plugin = await asking(() => (now.abort(), 1));
  const now = new AbortController();
  assert.throws(() => plugin.callSync('ask', 1, { signal: now.signal }), CancelledError);
  const late = new AbortController();
  assert.equal(await plugin.call('add', [1, 1], { signal: late.signal }), 2);
  late.abort();
  assert.equal(await plugin.call('add', [1, 1]), 2);
});

test('what one plugin does ends no other', async () => {
  const [a, b] = [await asking(() => 0, { limits: { wall: '100ms' } }), await asking(() => 0, { limits: { wall: '600ms' } })];
  const since = performance.now();
  const slow = b.call('spin', 1).catch((error) => [error, performance.now() - since]);
  await assert.rejects(a.call('spin', 1), StoppedError);
  const [error, took] = await slow;
  assert.ok(error instanceof StoppedError && took >= 590, `${took} ms`);
});

test('thousands of calls that end badly leave nothing behind', async () => {
  const plugin = await asking((number) => {
    if (number % 2) throw new Error('odd');
    return Promise.reject(new Error('even'));
  });
  const settle = async () => {
    for (let round = 0; round < 3; round++) {
      globalThis.gc?.();
      await sleep(5);
    }
    return process.memoryUsage().rss;
  };
  const round = async () => {
    for (let at = 0; at < 400; at++) {
      const called = at % 3 === 0 ? plugin.call('trap', 1) : plugin.call('ask', at);
      await assert.rejects(called, PluginError);
      assert.throws(() => plugin.callSync(at % 2 ? 'ask' : 'trap', 1), PluginError);
    }
  };
  await round();
  const before = await settle();
  for (let rounds = 0; rounds < 4; rounds++) await round();
  const grown = (await settle()) - before;
  assert.ok(grown < 48 << 20, `${grown >> 20} MiB more`);
});
