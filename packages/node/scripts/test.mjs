// Tests the package as its users get it: builds the addon, packs the package, installs it into an empty folder without a
// network, and runs every test there. The last line counts; the exit code is zero where none failed.
//
//     node packages/node/scripts/test.mjs [--release | --built]
//
// With `--built` it takes the addon that is there.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = join(dirname(fileURLToPath(import.meta.url)), '..');
const repository = join(folder, '../..');
const release = process.argv.includes('--release');

if (!process.argv.includes('--built')) {
  run(process.execPath, [join(folder, 'scripts/build.mjs'), ...(release ? [] : ['--debug'])], folder);
}
const clean = mkdtempSync(join(tmpdir(), 'sandbar-npm-'));
try {
  run('npm', ['pack', '--silent', '--pack-destination', clean], folder);
  const tarball = readdirSync(clean).find((name) => name.endsWith('.tgz'));
  writeFileSync(join(clean, 'package.json'), JSON.stringify({ name: 'host-program', version: '1.0.0', private: true }));
  run('npm', ['install', '--silent', '--offline', '--no-audit', '--no-fund', '--ignore-scripts', `./${tarball}`], clean);
  mkdirSync(join(clean, 'test'));
  cpSync(join(folder, 'test'), join(clean, 'test'), { recursive: true });
  process.exitCode = tested();
} finally {
  rmSync(clean, { recursive: true, force: true });
}

/** Runs the tests in the clean folder, one file after the other: some of them measure time. */
function tested() {
  const files = readdirSync(join(clean, 'test')).filter((name) => name.endsWith('.test.js'));
  const flags = ['--test', '--test-reporter=tap', '--test-concurrency=1'];
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, ...files.map((name) => join('test', name))], {
    cwd: clean,
    env: { ...process.env, SANDBAR_REPOSITORY: repository },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const count = (what) => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(stdout)?.[1] ?? Number.NaN);
  const [passed, failed] = [count('pass'), count('fail') + count('cancelled')];
  const isWell = failed === 0 && passed > 0;
  if (!isWell) console.error(stdout, stderr);
  console.log(`${passed || 0} passed, ${failed || (isWell ? 0 : 'some')} failed`);
  return isWell ? 0 : 1;
}

function run(program, given, cwd) {
  const { status, error } = spawnSync(program, given, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw error;
  if (status !== 0) throw new Error(`\`${program} ${given.join(' ')}\` ended with ${status}`);
}
