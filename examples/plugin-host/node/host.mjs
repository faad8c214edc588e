// The log processor in Node.js: `node host.mjs PLUGINS [PORT]`. See ../src/main.rs for what it does.

import { readFile, readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join, parse } from 'node:path';
import { text } from 'node:stream/consumers';
import { loadPlugin } from 'sandbar';

const [folder, port = '8080'] = process.argv.slice(2);

async function load(file) {
  const { name } = parse(file);
  const settings = await readFile(join(folder, `${name}.json`), 'utf8').then(JSON.parse, () => ({}));
  const stats = { name, calls: 0, outcomes: {}, cpu_ns: 0, denials: {}, problem: null };
  const onReceipt = ({ outcome, used, denials = [] }) => {
    stats.calls += 1;
    stats.outcomes[outcome.kind] = (stats.outcomes[outcome.kind] ?? 0) + 1;
    stats.cpu_ns += used.cpu_ns ?? 0;
    for (const { asked, allow } of denials) stats.denials[asked] = allow;
  };
  const plugin = await loadPlugin(join(folder, file), { base: folder, sandbox: 'fresh', ...settings, onReceipt });
  plugin.watch(join(folder, file), (error) => (stats.problem = error && error.message));
  return { plugin, stats };
}

const files = (await readdir(folder)).filter((file) => file.endsWith('.wasm')).sort();
const chain = await Promise.all(files.map(load));

// What a plugin fails on goes past it as it is.
async function through(record) {
  for (const { plugin } of chain) {
    const transformed = await plugin.call('transform', record).catch((error) => (console.error(error.message), record));
    if (transformed === null) return null;
    record = transformed;
  }
  return record;
}

const server = createServer(async (request, response) => {
  if (request.url !== '/logs') return response.end(JSON.stringify(chain.map(({ stats }) => stats), null, 2));
  try {
    const records = (await text(request)).split('\n').filter((line) => line.trim()).map((line) => JSON.parse(line));
    const left = (await Promise.all(records.map(through))).filter((record) => record !== null);
    response.end(left.map((record) => `${JSON.stringify(record)}\n`).join(''));
  } catch (error) {
    response.writeHead(400).end(`no record: ${error.message}\n`);
  }
});
server.listen(Number(port), '127.0.0.1', () => console.error(`see http://127.0.0.1:${server.address().port}`));
