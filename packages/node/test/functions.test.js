'use strict';

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { pathToFileURL } = require('node:url');
const { DeniedError, FaultError, LoadError, RefusedError, StoppedError, fn, loadPlugin, loadPluginSync } = require('sandbar');
const { built, core, readFileSync, sleep, wat } = require('./world.js');

const asking = (ask, more) => loadPlugin(core, { functions: { env: { ask: fn('(i32) -> i32', ask) } }, ...more });
const both = async (plugin, ...given) => {
  const first = await plugin.call(...given);
  assert.deepEqual(plugin.callSync(...given), first);
  return first;
};

const FORMS = wat(`(module
  (import "env" "numbers" (func $numbers (param i32 i32 i64 i64 f32 f64) (result i64)))
  (import "env" "told" (func $told (param i32 i32 i32 i32 i32)))
  (import "env" "plain" (func $plain (param i64 f64) (result f32)))
  (memory (export "memory") 1)
  (data (i32.const 8) "hej\\c3\\a5")
  (func (export "numbers") (param i32) (result i64)
    (call $numbers (i32.const -1) (i32.const -1) (i64.const -1) (i64.const -1) (f32.const 0.5) (f64.const -0.25)))
  (func (export "told") (param i32)
    (call $told (i32.const 1) (i32.const 8) (i32.const 5) (i32.const 8) (i32.const 3)))
  (func (export "plain") (param i32) (result f32) (call $plain (i64.const 9) (f64.const 0.5))))`);

test('a core module gives and takes values by a form', async () => {
  const seen = [];
  const see = (gives) => (...given) => (seen.push(given.slice(0, -1)), gives);
  let gives = -7n;
  const plugin = await loadPlugin(FORMS, {
    functions: {
      env: {
        numbers: fn('(i32, u32, i64, u64, f32, f64) -> i64', (...given) => see(gives)(...given)),
        told: fn('(bool, text, bytes)', see()),
        plain: see(2.5),
      },
    },
  });
  assert.equal(await both(plugin, 'numbers', 0), -7);
  assert.deepEqual(seen[0], [-1, 4294967295, -1n, 18446744073709551615n, 0.5, -0.25]);
  for (const [given, taken] of [[12, 12], [2n ** 63n, '-9223372036854775808'], [true, 1]]) {
    gives = given;
    assert.equal(await both(plugin, 'numbers', 0), taken);
  }
  seen.length = 0;
  assert.equal(await both(plugin, 'told', 0), null);
  assert.deepEqual(seen, [[true, 'hejå', Uint8Array.of(104, 101, 106)], [true, 'hejå', Uint8Array.of(104, 101, 106)]]);
  seen.length = 0;
  assert.equal(await both(plugin, 'plain', 0), 2.5);
  assert.deepEqual(seen, [[9n, 0.5], [9n, 0.5]]);
  for (const wrong of ['text', undefined, 1.5, 2n ** 64n, 2n ** 200n, {}, Symbol('s'), null, Uint8Array.of(1)]) {
    gives = wrong;
    await assert.rejects(plugin.call('numbers', 0), FaultError, typeof wrong);
    assert.throws(() => plugin.callSync('numbers', 0), FaultError, typeof wrong);
  }
});

const SAYS = wat(`(component
  (import "acme:log/sink@1.2.0" (instance $sink
    (export "write" (func (param "text" string) (param "level" u8) (result (tuple u32 bool))))))
  (core module $libc (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
  (core instance $libc (instantiate $libc))
  (core func $write (canon lower (func $sink "write") (memory $libc "memory") (realloc (func $libc "realloc"))))
  (core module $m
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "libc" "memory" (memory 1))
    (data (i32.const 16) "hello")
    (func (export "run") (result i32)
      (call $write (i32.const 16) (i32.const 5) (i32.const 3) (i32.const 64))
      (i32.add (i32.load (i32.const 64)) (i32.load8_u (i32.const 68)))))
  (core instance $m (instantiate $m
    (with "host" (instance (export "write" (func $write)))) (with "libc" (instance $libc))))
  (func (export "run") (result u32) (canon lift (core func $m "run"))))`);

test('a component calls a function by its interface', async () => {
  const plugin = await loadPlugin(SAYS, {
    functions: { 'acme:log/sink': { write: (text, level, call) => (assert.equal(text, 'hello'), call.log('warn', text), [level + 40, true]) } },
  });
  assert.equal(await both(plugin, 'run'), 44);
  const later = await loadPlugin(SAYS, { functions: { 'acme:log/sink@1.2.0': { write: async (_, level) => (await sleep(2), [level, false]) } } });
  assert.equal(await later.run(), 3);
  const wrong = await loadPlugin(SAYS, { functions: { 'acme:log/sink': { write: () => 'no pair' } } });
  await assert.rejects(wrong.call('run'), /expected `tuple<u32, bool>`/);
});

test('a plugin of Extism gives and takes blocks', async () => {
  const greeting = fn('(block) -> block', (name) => `Hej, ${Buffer.from(name)}!`);
  const plugin = await loadPlugin(built('extism.wasm'), { functions: { 'extism:host/user': { greeting } } });
  const greeted = Buffer.from(await plugin.callBytes('greet', 'Ada')).toString();
  assert.match(greeted, /Hej, Ada!/);
  assert.equal(Buffer.from(plugin.callBytesSync('greet', 'Ada')).toString(), greeted);
  const later = fn('(block) -> block', async (name) => (await sleep(2), name));
  const waits = await loadPlugin(built('extism.wasm'), { functions: { 'extism:host/user': { greeting: later } } });
  assert.match(Buffer.from(await waits.callBytes('greet', 'Tim')).toString(), /Tim/);
  assert.throws(() => waits.callBytesSync('greet', 'Tim'), { name: 'FaultError', message: /use `call`/ });
});

test('a manifest of Extism says where its plugin is and what it may do', async () => {
  const functions = { 'extism:host/user': { greeting: fn('(block) -> block', (name) => name) } };
  const manifest = { wasm: [{ path: pathToFileURL(built('extism.wasm')), name: 'main' }], config: { favColor: 'red' }, timeoutMs: 100 };
  const plugin = await loadPlugin(manifest, { functions });
  assert.equal(plugin.name, 'extism');
  assert.equal(Buffer.from(plugin.callBytesSync('configured', 'favColor')).toString(), 'red');
  await assert.rejects(plugin.callBytes('spin'), { name: 'StoppedError', message: /wall/ });
  const data = readFileSync(built('extism.wasm'));
  const bounded = loadPluginSync({ wasm: [{ data }], memory: { max_var_bytes: 500 } }, { functions, config: { favColor: 'blue' } });
  assert.equal(Buffer.from(bounded.callBytesSync('configured', 'favColor')).toString(), 'blue');
  assert.throws(() => bounded.callBytesSync('keep', '1000'), /at most 500 bytes/);
  await plugin.replace({ wasm: [{ data }] });
  assert.equal(Buffer.from(plugin.callBytesSync('configured', 'favColor')).toString(), 'red');
  for (const [wrong, message] of [
    [{ wasm: [] }, /expected a module under `wasm`/],
    [{ wasm: [{ path: 'nowhere.wasm' }] }, /nowhere.wasm/],
    [{ wasm: [{ data: { ptr: 8, len: 8 } }] }, /expected a string/],
    [{ wasm: [{ data }], timeout: 5 }, /unknown field `timeout`/],
  ]) {
    await assert.rejects(loadPlugin(wrong, { functions }), { name: 'LoadError', message });
  }
  await assert.rejects(loadPlugin({ wsm: [] }), { name: 'TypeError', message: /a manifest of Extism/ });
});

test('a function may wait, and callSync can not wait for it', async () => {
  const plugin = await asking(async (number) => (await sleep(number), number + 1));
  assert.equal(await plugin.call('ask', 3), 4);
  assert.throws(() => plugin.callSync('ask', 3), { name: 'FaultError', message: /`ask` of `env` gave a promise.*use `call`/ });
  assert.equal(await plugin.call('ask', 5), 6, 'it goes on');
  assert.deepEqual(await Promise.all([1, 2, 3].map((it) => plugin.call('ask', it))), [2, 3, 4]);
});

test('a function is told of its call', async () => {
  const logs = [];
  const calls = [];
  const plugin = await asking(
    (number, call) => {
      calls.push(call);
      call.log('warn', 'one\ntwo\u001b[0m');
      return number * call.context.factor;
    },
    { name: 'told', log: (record) => logs.push(record) },
  );
  const controller = new AbortController();
  const { value, receipt } = await plugin.call('ask', 4, { context: { factor: 3 }, receipt: true, signal: controller.signal });
  assert.equal(value, 12);
  assert.equal(plugin.callSync('ask', 4, { context: { factor: 5 } }), 20);
  assert.equal(calls[0].callId, receipt.call);
  assert.equal(calls[0].guest, 'told');
  assert.equal(calls[0].signal, controller.signal);
  assert.equal(receipt.grants.functions, 1);
  assert.equal(receipt.used.log_bytes, 11);
  assert.deepEqual(logs.map(({ level, guest, message }) => ({ level, guest, message })), Array(2).fill({ level: 'warn', guest: 'told', message: 'one\\ntwo\\u{1b}[0m' }));
  assert.equal(logs[0].callId, receipt.call);
  const floods = await asking((_, call) => (call.log('info', 'x'.repeat(200)), 1), { limits: { log: 100 } });
  await assert.rejects(floods.call('ask', 1), (error) => error instanceof StoppedError && error.limit === 'log');
  await assert.rejects((await asking((_, call) => call.log('loud', 'x'))).call('ask', 1), (error) => error instanceof FaultError && error.cause instanceof TypeError);
});

test('what a function throws is the cause of the fault', async () => {
  const thrown = new RangeError('no such article');
  for (const ask of [() => { throw thrown; }, async () => { await sleep(1); throw thrown; }, () => Promise.reject(thrown)]) {
    const plugin = await asking(ask);
    await assert.rejects(plugin.call('ask', 1), (error) => {
      assert.ok(error instanceof FaultError);
      assert.equal(error.cause, thrown);
      assert.match(error.message, /no such article/);
      assert.equal(error.receipt.outcome.kind, 'fault');
      assert.doesNotMatch(JSON.stringify(error.receipt), /no such article/);
      return true;
    });
    assert.equal(await plugin.call('add', [1, 2]), 3, 'the next call has a new sandbox');
  }
  const sync = await asking(() => { throw thrown; });
  assert.throws(() => sync.callSync('ask', 1), (error) => error instanceof FaultError && error.cause === thrown);
  const hostile = { toString() { throw new Error('again'); } };
  for (const strange of [undefined, null, 7, Symbol('s'), hostile, Object.create(null)]) {
    const plugin = await asking(() => { throw strange; });
    await assert.rejects(plugin.call('ask', 1), (error) => error instanceof FaultError);
    assert.throws(() => plugin.callSync('ask', 1), FaultError);
  }
});

test('a function may refuse', async () => {
  const plugin = await asking(() => { throw new DeniedError('article 7'); });
  const isRight = (error) => {
    assert.ok(error instanceof RefusedError);
    assert.equal(error.receipt.denials[0].asked, 'article 7');
    return true;
  };
  await assert.rejects(plugin.call('ask', 1), isRight);
  assert.throws(() => plugin.callSync('ask', 1), isRight);
});

test('a function that calls its own held plugin is refused', async () => {
  let plugin;
  const inner = [];
  const ways = [
    async () => plugin.call('add', [1, 2]),
    async () => (await sleep(1), plugin.call('add', [1, 2])),
    () => plugin.callSync('add', [1, 2]),
  ];
  for (const way of ways) {
    plugin = await asking(async () => {
      try {
        return await way();
      } catch (error) {
        inner.push(error);
        throw error;
      }
    });
    const since = performance.now();
    await assert.rejects(plugin.call('ask', 1), (error) => error instanceof FaultError && error.cause === inner.at(-1));
    assert.ok(inner.at(-1) instanceof RefusedError, `${inner.at(-1)}`);
    assert.ok(performance.now() - since < 2_000);
  }
  plugin = await asking(() => plugin.callSync('add', [1, 2]));
  assert.throws(() => plugin.callSync('ask', 1), (error) => error.cause instanceof RefusedError);
  await assert.rejects(plugin.call('ask', 1), (error) => error.cause instanceof RefusedError);
  const fresh = await asking((number) => (number > 0 ? fresh.call('ask', number - 1) : 9), { sandbox: 'fresh' });
  assert.equal(await fresh.call('ask', 3), 9);
});

test('a call that waits for another plugin in a circle is refused', async () => {
  const a = await asking(() => b.call('ask', 1));
  const b = await asking(() => a.call('add', [1, 2]));
  const since = performance.now();
  await assert.rejects(a.call('ask', 1), (error) => error.cause.cause instanceof RefusedError);
  assert.ok(performance.now() - since < 2_000);
});

test('a function may call other plugins, no longer than its own call may take', async () => {
  const spins = await asking(() => 0);
  const outer = await asking(() => spins.call('spin', 1), { limits: { wall: '100ms' } });
  const since = performance.now();
  await assert.rejects(outer.call('ask', 1));
  const sync = await asking(() => spins.callSync('spin', 1), { limits: { wall: '100ms' } });
  assert.throws(() => sync.callSync('ask', 1));
  assert.ok(performance.now() - since < 2_000);
  const adds = await asking((number) => spins.callSync('add', [number, 1]));
  assert.equal(await both(adds, 'ask', 4), 5);
});

test('callSync does not wait for calls that may wait for it', async () => {
  let go;
  const plugin = await asking(() => new Promise((resolve) => { go = resolve; }));
  const running = plugin.call('ask', 1);
  while (!go) await sleep(1);
  assert.throws(() => plugin.callSync('add', [1, 2]), { name: 'RefusedError', message: /`callSync` can't wait/ });
  go(5);
  assert.equal(await running, 5);
  assert.equal(plugin.callSync('add', [1, 2]), 3);
});

const STARTS = wat(`(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (global $got (mut i32) (i32.const 0))
  (func $start (global.set $got (call $ask (i32.const 20))))
  (start $start)
  (func (export "trap") (param i32) unreachable)
  (func (export "got") (param i32) (result i32) (global.get $got)))`);

test('start code calls functions too, each time that it runs', async () => {
  let calls = 0;
  const functions = { env: { ask: fn('(i32) -> i32', async (number) => (await sleep(1), calls++, number + 2)) } };
  const plugin = await loadPlugin(STARTS, { functions });
  assert.equal(await plugin.call('got', 0), 22);
  await assert.rejects(plugin.call('trap', 0));
  assert.equal(await plugin.call('got', 0), 22);
  assert.equal(calls, 2);
  const quick = { env: { ask: fn('(i32) -> i32', (number) => number + 3) } };
  const sync = loadPluginSync(STARTS, { functions: quick });
  assert.equal(sync.callSync('got', 0), 23);
  assert.throws(() => sync.callSync('trap', 0));
  assert.equal(sync.callSync('got', 0), 23);
  assert.throws(() => loadPluginSync(STARTS, { functions }), LoadError);
  const thrown = new Error('not today');
  const throws = { env: { ask: fn('(i32) -> i32', () => { throw thrown; }) } };
  await assert.rejects(loadPlugin(STARTS, { functions: throws }), (error) => error.kind === 'start' && error.outcome.kind === 'fault' && error.cause === thrown);
});

/** Computes for some milliseconds, and then asks. */
const LONG = wat(`(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (func (export "ask") (param i32) (result i32)
    (local $left i64)
    (local.set $left (i64.const 100000000))
    (loop $more (br_if $more (i64.ne (i64.const 0) (local.tee $left (i64.sub (local.get $left) (i64.const 1))))))
    (call $ask (local.get 0))))`);

test('a long call asks on its own way, wherever it runs by then', async () => {
  for (const sandbox of ['held', 'fresh', { reuse: 4 }]) {
    for (const describe of [(ask) => fn('(i32) -> i32', ask), (ask) => ask]) {
      const functions = { env: { ask: describe((number, call) => number + call.context) } };
      const plugin = await loadPlugin(LONG, { functions, sandbox });
      const answers = await Promise.all([1, 2, 3, 4].map((it) => plugin.call('ask', it, { context: it })));
      assert.deepEqual(answers, [2, 4, 6, 8]);
      assert.equal(plugin.callSync('ask', 1, { context: 6 }), 7);
    }
  }
});

test('so does start code that is long', () => {
  const long = wat(`(module
    (import "env" "ask" (func $ask (param i32) (result i32)))
    (global $got (mut i32) (i32.const 0))
    (func $start (local $left i64)
      (local.set $left (i64.const 100000000))
      (loop $more (br_if $more (i64.ne (i64.const 0) (local.tee $left (i64.sub (local.get $left) (i64.const 1))))))
      (global.set $got (call $ask (i32.const 20))))
    (start $start)
    (func (export "got") (param i32) (result i32) (global.get $got)))`);
  for (const sandbox of ['held', 'fresh', { reuse: 2 }]) {
    const functions = { env: { ask: fn('(i32) -> i32', (number) => number + 1) } };
    assert.equal(loadPluginSync(long, { functions, sandbox }).callSync('got', 0), 21);
  }
});
