'use strict';

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { pathToFileURL } = require('node:url');
const { FailedError, LoadError, PluginError, RefusedError, loadPlugin, loadPluginSync } = require('sandbar');
const { adults, built, core, people, readFileSync, sensor, text, users, wat } = require('./world.js');

test('a function over stdin and stdout takes and gives JSON', async () => {
  for (const source of [users, pathToFileURL(users), readFileSync(users), new Uint8Array(readFileSync(users)).buffer]) {
    const plugin = await loadPlugin(source, { name: 'filter' });
    assert.deepEqual(await plugin.call('transform_data', people), adults);
    assert.deepEqual(plugin.callSync('transform_data', people), adults);
    assert.deepEqual(await plugin.transform_data(people), adults);
    assert.equal(plugin.name, 'filter');
    assert.match(plugin.digest, /[0-9a-f]{64}$/);
    assert.ok(plugin.exports.includes('transform_data'));
    plugin.close();
  }
});

test('bytes are bytes', async () => {
  const plugin = await loadPlugin(users);
  for (const given of [JSON.stringify(people), Buffer.from(JSON.stringify(people))]) {
    for (const answer of [await plugin.callBytes('transform_data', given), plugin.callBytesSync('transform_data', given)]) {
      assert.ok(answer instanceof Uint8Array);
      assert.deepEqual(JSON.parse(Buffer.from(answer)), adults);
    }
  }
  assert.deepEqual(plugin.callSync('transform_data', Buffer.from(JSON.stringify(people))), adults);
  const extism = await loadPlugin(built('extism.wasm'), { functions: { 'extism:host/user': { greeting: (name) => name } } });
  const echoed = Uint8Array.from({ length: 300_000 }, (_, at) => at % 251);
  assert.deepEqual(await extism.callBytes('echo', echoed), echoed);
  assert.deepEqual(extism.callBytesSync('echo', echoed), echoed);
  assert.deepEqual(await extism.callBytes('echo'), new Uint8Array());
  await assert.rejects(extism.call('echo', echoed), (error) => error instanceof PluginError && /callBytes/.test(error.message));
  assert.throws(() => extism.callSync('echo', Buffer.from('no json')), { name: 'PluginError', message: /is no JSON.*callBytes/ });
});

test('answers of every size come by every way', async () => {
  const plugin = await loadPlugin(built('vowels.wasm'), { grants: { random: true } });
  for (const length of [0, 1, 64, 65, 16_383, 16_384, 16_385, 100_000]) {
    const sent = new Uint8Array(length).map((_, at) => at % 251);
    const first = plugin.callBytesSync('echo', sent);
    for (const came of [plugin.callBytesSync('echo', sent, { receipt: true }).value, await plugin.callBytes('echo', sent)]) {
      assert.deepEqual(came, sent);
    }
    // Nothing that comes later changes it.
    plugin.callBytesSync('echo', new Uint8Array(length).fill(7));
    assert.deepEqual(first, sent);
    // What is given is taken when the call begins.
    const calls = Array.from({ length: 300 }, () => plugin.callBytes('echo', sent));
    const was = sent.slice();
    sent.fill(1);
    for (const came of await Promise.all(calls)) assert.deepEqual(came, was);
  }
});

test('typed functions of core modules take numbers and lists', async () => {
  const plugin = await loadPlugin(sensor);
  assert.equal(await plugin.call('calculate_average', [[20, 22, 27]]), 23);
  assert.equal(plugin.callSync('calculate_average', [Int32Array.of(20, 22, 27)]), 23);
  assert.equal(plugin.callSync('calculate_average', Int32Array.of(20, 22, 27)), 23, 'the only argument');
  assert.equal(plugin.callSync('validate_sensor_reading', 42), 42);
  assert.equal(await plugin.calculate_average([20, 22, 27]), 23);
  const wide = await loadPlugin(
    wat('(module (func (export "same") (param i64) (result i64) (local.get 0)) (func (export "sum") (param f64 f32) (result f64) (f64.add (local.get 0) (f64.promote_f32 (local.get 1)))))'),
  );
  assert.equal(wide.callSync('same', [-5]), -5);
  assert.equal(wide.callSync('same', [7n]), 7);
  assert.equal(wide.callSync('same', [2n ** 62n]), '4611686018427387904');
  assert.equal(await wide.call('sum', [1.5, 0.25]), 1.75);
});

test('a component takes and gives values of every type', async () => {
  const plugin = await loadPlugin(built('types.wasm'));
  assert.equal(await plugin.greet('world'), 'Hello, world!');
  assert.equal(await plugin.add(2, 3), 5);
  const same = async (name, value, as = value) => assert.deepEqual(await plugin.call(`echo-${name}`, [value]), as, name);
  await same('s64', 2n ** 62n, (2n ** 62n).toString());
  await same('string', 'ä\u{1f600}');
  await same('bytes', Uint8Array.of(1, 2, 255), [1, 2, 255]);
  await same('bytes', Buffer.of(), []);
  await same('option', null);
  await same('record', { x: 1, y: -2 });
  await same('variant', { line: [{ x: 1, y: 2 }, { x: 3, y: 4 }] });
  await same('flags', new Set(['read', 'execute']), ['read', 'execute']);
  await same('result', { err: 4 });
  assert.deepEqual(await plugin.echoRecord({ x: 5, y: 6 }), { x: 5, y: 6 });
  assert.deepEqual(await plugin.call('echo-record', { x: 5, y: 6 }), { x: 5, y: 6 }, 'the only argument');
  assert.deepEqual(plugin.callSync('echo-variant', { circle: 1.5 }), { circle: 1.5 });
  await assert.rejects(plugin.echoRecord({ x: 5 }), { name: 'RefusedError', message: /field `y: s32`/ });
});

test('a receipt comes with a call, with an error, and to who hears them', async () => {
  const heard = [];
  const plugin = await loadPlugin(users, { onReceipt: (receipt) => heard.push(receipt) });
  const { value, receipt } = await plugin.call('transform_data', people, { receipt: true });
  assert.deepEqual(value, adults);
  assert.equal(receipt.outcome.kind, 'done');
  assert.equal(receipt.guest, 'users');
  assert.ok(receipt.used.wall_ns > 0);
  assert.equal(plugin.callSync('transform_data', people, { receipt: true }).receipt.source, 'transform_data');
  plugin.callSync('transform_data', people);
  await assert.rejects(plugin.callBytes('transform_data', 'no json'), (error) => {
    assert.ok(error instanceof FailedError);
    assert.equal(error.outcome.kind, 'failed');
    assert.deepEqual(error.receipt.outcome, error.outcome);
    return true;
  });
  assert.deepEqual(heard.map((it) => it.outcome.kind), ['done', 'done', 'done', 'failed']);
});

test('what can not be meant is said', async () => {
  const plugin = await loadPlugin(users);
  await assert.rejects(plugin.call('nothing'), (error) => error instanceof RefusedError && /nothing/.test(error.message));
  assert.throws(() => plugin.callSync('nothing'), RefusedError);
  await assert.rejects(plugin.call('transform_data', () => 1), TypeError);
  const circle = {};
  circle.self = circle;
  await assert.rejects(plugin.call('transform_data', circle), /circular/i);
  await assert.rejects(plugin.callBytes('transform_data', 7), TypeError);
  for (const [source, options, kind, message] of [
    ['missing.wasm', {}, 'load', /missing\.wasm/],
    [wat('(module'), {}, 'load', /./],
    [core, {}, 'load', /env/],
    [users, { limits: { wall: 2 } }, 'option', /`wall`: expected a duration/],
    [users, { limits: { memroy: 2 } }, 'option', /did you mean `memory`/],
    [users, { sandboxMax: 2 }, 'option', /did you mean/],
    [users, { functions: { env: { f: 1 } } }, 'option', /`f` of `env`/],
    [users, { functions: { env: { f: require('sandbar').fn('(i31)', () => 1) } } }, 'option', /unknown type `i31`/],
    [users, { grants: { http: ['nonsense'] } }, 'grant', /nonsense/],
    [users, { log: 1 }, 'option', /expected a function/],
  ]) {
    const isRight = (error) => error instanceof LoadError && error.kind === kind && message.test(error.message) || assert.fail(`${error.kind}: ${error.message}`);
    await assert.rejects(loadPlugin(source, options), isRight);
    assert.throws(() => loadPluginSync(source, options), isRight);
  }
  await assert.rejects(loadPlugin(7), TypeError);
});

test('options are those of a manifest, and may be written as JavaScript does', async () => {
  const text = wat('(module (memory (export "memory") 1) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))');
  const plugin = await loadPlugin(text, { limits: { memory: '1MiB', bytesIn: 'none' }, sandbox: 'fresh', sandboxesMax: 2 });
  assert.equal(await plugin.call('grow', [8]), 1);
  assert.equal(await plugin.call('grow', [8]), 1, 'it is fresh');
  assert.equal(await plugin.call('grow', [80]), -1, 'there is no more');
});

test('state stays between calls, and results are what they are said to be', async () => {
  const plugin = await loadPlugin(text('keeps.wat'), { sandbox: 'fresh', state: '1KiB', results: { greet: 'text' } });
  assert.deepEqual([await plugin.count(2), plugin.callSync('count', 3), await plugin.greet(0)], [2, 5, 'hello']);
});

test('many calls at one time each get their own answer', async () => {
  const held = await loadPlugin(sensor);
  const many = await loadPlugin(sensor, { sandbox: { reuse: 50 }, sandboxesMax: 4 });
  for (const plugin of [held, many]) {
    const answers = await Promise.all(Array.from({ length: 500 }, (_, at) => plugin.call('calculate_average', [[at, at]])));
    assert.deepEqual(answers, Array.from({ length: 500 }, (_, at) => at));
  }
});
