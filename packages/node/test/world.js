'use strict';

/** What the tests share: guests, and a program in a process of its own. */

const { spawn } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');

const repository = process.env.SANDBAR_REPOSITORY ?? path.join(__dirname, '../../..');
const quickstart = (name) => path.join(repository, 'examples/quickstart', name);

/** A guest that is built from the sources in `guests/`. */
function built(name) {
  const file = path.join(repository, 'guests/target/sandbar', name);
  if (!existsSync(file)) throw new Error(`\`${file}\` is not there; hint: cargo xtask guests`);
  return file;
}

const hostile = (name) => path.join(repository, 'guests/hostile', name);
const text = (name) => path.join(repository, 'guests/wat', name);
const wat = (text) => new TextEncoder().encode(text);
const users = quickstart('users.wasm');
const sensor = quickstart('sensor.wasm');

const people = { users: [{ name: 'Ada', age: 36 }, { name: 'Tim', age: 19 }] };
const adults = { filtered_users: [{ name: 'Ada', age: 36 }], processed_count: 2 };

/** Spins for ever, adds, traps, or asks `env.ask` and gives what that gives. */
const core = wat(`(module
  (import "env" "ask" (func $ask (param i32) (result i32)))
  (memory (export "memory") 1)
  (global $count (mut i32) (i32.const 0))
  (func (export "spin") (param i32) (loop (br 0)))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "count") (param i32) (result i32)
    (global.set $count (i32.add (global.get $count) (local.get 0))) (global.get $count))
  (func (export "trap") (param i32) unreachable)
  (func (export "ask") (param i32) (result i32) (call $ask (local.get 0)))
  (func (export "storm") (param i32) (result i32)
    (loop $more
      (drop (call $ask (local.get 0)))
      (br_if $more (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (i32.const 7)))`);

/** Runs a program of its own to its end. */
function run(code, { ms = 20_000, flags = [] } = {}) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...flags, '-e', code], {
      cwd: __dirname,
      env: { ...process.env, SANDBAR_REPOSITORY: repository },
    });
    const said = { out: '', err: '' };
    child.stdout.on('data', (data) => (said.out += data));
    child.stderr.on('data', (data) => (said.err += data));
    const timer = setTimeout(() => child.kill('SIGKILL'), ms);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...said, code, signal });
    });
  });
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

module.exports = { repository, built, hostile, text, wat, users, sensor, people, adults, core, run, sleep, readFileSync };
