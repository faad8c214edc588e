'use strict';

/** How plugins come and go: with the event loop, the process, its threads, and the garbage collector. */

const { test } = require('node:test');
const assert = require('node:assert/strict');
const { readdirSync } = require('node:fs');
const { SandbarError, fn, loadPlugin } = require('sandbar');
const { core, people, run, sensor, sleep, users } = require('./world.js');

const START = `
  const { fn, loadPlugin } = require('sandbar');
  const { core, users, people } = require('./world.js');
  const asking = (ask, more) => loadPlugin(core, { functions: { env: { ask: fn('(i32) -> i32', ask) } }, ...more });
`;

test('an idle plugin does not keep the process going', async () => {
  const said = await run(`${START}
    (async () => {
      globalThis.plugin = await loadPlugin(users, { log: () => {} });
      await plugin.call('transform_data', people);
      plugin.watch(users, () => {});
      console.log('done');
    })();`);
  assert.deepEqual([said.out, said.code, said.signal], ['done\n', 0, null], said.err);
});

test('a call that runs does', async () => {
  const said = await run(`${START}
    asking(() => new Promise((resolve) => setTimeout(resolve, 50, 5).unref())).then(async (plugin) => {
      console.log(await plugin.call('ask', 1).catch((error) => error.name));
    });
    loadPlugin(core, { functions: { env: { ask: () => 1 } } }).then((plugin) => plugin.call('spin', 1, { withinMs: 100 })).catch((error) => console.log(error.name));`);
  assert.deepEqual([said.out.split('\n').sort().join(), said.code], [',5,StoppedError', 0], said.err);
});

test('a process may exit while calls run', async () => {
  for (const exit of ['process.exit(3)', "process.kill(process.pid, 'SIGTERM')", "setImmediate(() => { throw new Error('on purpose'); })"]) {
    const said = await run(`${START}
      asking(() => new Promise(() => {}), { sandbox: 'fresh' }).then((plugin) => {
        for (let at = 0; at < 8; at++) plugin.call(at % 2 ? 'spin' : 'ask', 1).catch(() => {});
        setTimeout(() => { ${exit}; }, 30);
      });`);
    const ended = exit.includes('kill') ? [null, 'SIGTERM'] : [exit.includes('throw') ? 1 : 3, null];
    assert.deepEqual([said.code, said.signal], ended, `${exit}: ${said.err}`);
  }
  const said = await run(`${START} asking(() => process.exit(4)).then((plugin) => plugin.callSync('ask', 1));`);
  assert.deepEqual([said.code, said.signal], [4, null], said.err);
});

const THREADS = (inside, outside) => `
  const { Worker, isMainThread, parentPort } = require('node:worker_threads');
  const work = ${JSON.stringify(`${START} const { parentPort } = require('node:worker_threads'); ${inside}`)};
  ${outside}`;

test('each thread has its own plugins, and any may be the only one that has', async () => {
  const inside = `loadPlugin(users).then(async (plugin) => {
    for (let at = 0; at < 200; at++) await plugin.call('transform_data', people);
    parentPort.postMessage(plugin.callSync('transform_data', people).processed_count);
  });`;
  const said = await run(
    THREADS(
      inside,
      `const one = () => new Promise((resolve, reject) => {
        const worker = new Worker(work, { eval: true });
        let got;
        worker.on('message', (it) => (got = it));
        worker.on('error', reject);
        worker.on('exit', (code) => resolve([got, code]));
      });
      (async () => {
        for (let round = 0; round < 3; round++) console.log(JSON.stringify(await Promise.all([one(), one(), one()])));
        ${START} const plugin = await loadPlugin(users);
        console.log((await plugin.call('transform_data', people)).processed_count);
      })();`,
    ),
  );
  assert.equal(said.out, `${'[[2,0],[2,0],[2,0]]\n'.repeat(3)}2\n`, said.err);
  assert.deepEqual([said.code, said.signal], [0, null], said.err);
});

test('a thread may be terminated while its calls run', async () => {
  const inside = `asking(() => new Promise(() => {}), { sandbox: 'fresh', log: () => {} }).then((plugin) => {
    for (let at = 0; at < 6; at++) plugin.call(at % 2 ? 'spin' : 'ask', 1).catch(() => {});
    parentPort.postMessage('runs');
  });`;
  const said = await run(
    THREADS(
      inside,
      `(async () => {
        for (let round = 0; round < 5; round++) {
          const worker = new Worker(work, { eval: true });
          await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
          await worker.terminate();
        }
        // Its calls ended with it: nobody computes any more.
        await new Promise((resolve) => setTimeout(resolve, 200));
        const before = process.cpuUsage();
        await new Promise((resolve) => setTimeout(resolve, 300));
        const { user } = process.cpuUsage(before);
        console.log(user < 150_000 ? 'quiet' : 'busy for ' + user);
        process.exit(0);
      })();`,
    ),
  );
  assert.deepEqual([said.out, said.code, said.signal], ['quiet\n', 0, null], said.err);
});

test('a plugin is closed', async () => {
  let kept;
  {
    const plugin = await loadPlugin(users);
    kept = plugin;
    const running = plugin.call('transform_data', people);
    plugin.close();
    assert.equal((await running).processed_count, 2, 'what runs goes on');
  }
  kept.close();
  for (const uses of [() => kept.callSync('transform_data', people), () => kept.digest, () => kept.rollBack(), () => kept.watch(users)]) {
    assert.throws(uses, (error) => error instanceof SandbarError && error.message === 'the plugin is closed');
  }
  await assert.rejects(kept.call('transform_data', people), SandbarError);
  await assert.rejects(kept.replace(users), SandbarError);
  const plugin = await loadPlugin(core, { functions: { env: { ask: fn('(i32) -> i32', async () => (await sleep(40), 8)) } } });
  const running = plugin.call('ask', 1);
  await plugin[Symbol.asyncDispose]();
  assert.equal(await running, 8);
  assert.throws(() => plugin.callSync('add', [1, 2]), SandbarError);
  const other = await loadPlugin(sensor);
  other[Symbol.dispose]();
  assert.throws(() => other.digest, SandbarError);
});

test('what nobody has any more is collected, and nothing is left of it', async () => {
  const said = await run(
    `${START}
    const { readdirSync } = require('node:fs');
    const open = () => readdirSync('/proc/self/fd').length + readdirSync('/proc/self/task').length;
    const turn = async () => { for (let at = 0; at < 4; at++) { gc(); await new Promise((resolve) => setTimeout(resolve, 10)); } };
    let collected = 0;
    const seen = new FinalizationRegistry(() => (collected += 1));
    const round = async () => {
      for (let at = 0; at < 150; at++) {
        const plugin = await asking((number) => plugin ? number : 0, { log: () => plugin, limits: { memory: '1MiB' } });
        seen.register(plugin);
        plugin.callSync('ask', 1);
        await plugin.call('ask', 1);
      }
      await turn();
    };
    (async () => {
      await round();
      const before = [process.memoryUsage().rss, open()];
      for (let rounds = 0; rounds < 4; rounds++) await round();
      const [rss, handles] = [process.memoryUsage().rss - before[0], open() - before[1]];
      console.log(collected > 700, rss < 40 << 20 || rss, handles < 20 || handles);
    })();`,
    { flags: ['--expose-gc'], ms: 60_000 },
  );
  assert.equal(said.out, 'true true true\n', said.err);
});

test('tens of thousands of calls take no more memory, threads or descriptors', { skip: process.platform !== 'linux' }, async () => {
  const plugin = await loadPlugin(users);
  const count = () => readdirSync('/proc/self/fd').length + readdirSync('/proc/self/task').length;
  const round = async () => {
    for (let at = 0; at < 3_000; at++) plugin.callSync('transform_data', people);
    for (let at = 0; at < 10; at++) await Promise.all(Array.from({ length: 200 }, () => plugin.call('transform_data', people)));
  };
  await round();
  await round();
  const before = [process.memoryUsage().rss, count()];
  for (let rounds = 0; rounds < 4; rounds++) await round();
  assert.ok(process.memoryUsage().rss - before[0] < 64 << 20);
  // There are up to 64 threads for calls, as many as were needed at one time; what calls left behind would be thousands.
  assert.ok(count() - before[1] < 80);
});
