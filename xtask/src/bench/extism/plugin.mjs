// Measures what a call of a plugin costs a host in Node.js, by Sandbar's package and by Extism's: `cargo xtask bench plugin` runs it.
//
//     plugin.mjs GUEST
//
// Rounds of the two alternate. Prints one JSON object a line: the name of a figure, its median and unit. Extism's calls are
// promises that compute at once, on the thread that calls; its other way, a worker for each plugin, is slower.

import { readFileSync } from 'node:fs';
import createPlugin from '@extism/extism';
import { loadPlugin } from 'sandbar';

const ROUNDS = 9;

async function eachNs(does, count) {
  const start = process.hrtime.bigint();
  for (let at = 0; at < count; at++) await does();
  return Number(process.hrtime.bigint() - start) / count;
}

const median = (values) => values.sort((one, other) => one - other)[values.length >> 1];

async function compare(name, sides, count) {
  const times = Object.fromEntries(Object.keys(sides).map((side) => [side, []]));
  for (const does of Object.values(sides)) await eachNs(does, (count >> 2) + 1);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [side, does] of Object.entries(sides)) times[side].push(await eachNs(does, count));
  }
  for (const [side, found] of Object.entries(times)) {
    console.log(JSON.stringify({ name: `node-${name}${side}`, median: median(found), unit: 'ns' }));
  }
}

const guest = readFileSync(process.argv[2]);
const load = { '': () => loadPlugin(guest, { grants: { random: true } }), '-extism': () => createPlugin({ wasm: [{ data: guest }] }, { useWasi: true }) };
const ours = await load['']();
const theirs = await load['-extism']();
// Not of node's pool of memory, in which Extism's kit reads from the start.
const small = new TextEncoder().encode('hello world');
const big = Buffer.alloc(65536, 'hello, world ');
const sides = (name, input) => ({
  '': () => ours.callBytesSync(name, input),
  '-async': () => ours.callBytes(name, input),
  '-extism': () => theirs.call(name, input),
});
if (Buffer.compare(Buffer.from(ours.callBytesSync('echo', big)), big) !== 0) throw new Error('not an echo');
// Extism's plugin of this release ends with its 16,384th call.
await compare('small', sides('count_vowels', small), 1000);
await compare('echo-64k', sides('echo', big), 200);
await compare('create', { '': async () => (await load['']()).close(), '-extism': async () => (await load['-extism']()).close() }, 20);
ours.close();
await theirs.close();
