// Builds the addon and lays it beside the package: `npm run build`, or `npm run build -- --debug` for a quick one.
//
// The layout is that of `@napi-rs/cli`, so that its commands for publishing work on it. Building needs no more than cargo and
// a copy, which spares the package a dependency.
import { copyFileSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import named from '../lib/platform.js';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..');
const isDebug = process.argv.includes('--debug');
const profile = isDebug ? [] : ['--release'];
const cargo = ['build', '--package', 'sandbar-node', ...profile, '--message-format', 'json-render-diagnostics'];
const said = execFileSync('cargo', cargo, {
  cwd: folder,
  stdio: ['ignore', 'pipe', 'inherit'],
  maxBuffer: 1 << 28,
  encoding: 'utf8',
});
// Where the target folder is, only cargo knows.
const built = said
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .filter(({ reason, target }) => reason === 'compiler-artifact' && target.name === 'sandbar_node')
  .flatMap(({ filenames }) => filenames)
  .find((name) => name.endsWith('.so'));
const to = join(folder, `sandbar.${named.platform}.node`);
// A process that has the old one open keeps it.
rmSync(to, { force: true });
copyFileSync(built, to);
console.log(to);
