// The same objects as `require` gives, so that a program that uses both has one host and one class of each error.
import sandbar from './index.js';

export const {
  configure,
  loadPlugin,
  loadPluginSync,
  fn,
  Plugin,
  SandbarError,
  LoadError,
  PluginError,
  FailedError,
  StoppedError,
  TrappedError,
  RefusedError,
  CancelledError,
  FaultError,
  DeniedError,
} = sandbar;
