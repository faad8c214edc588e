'use strict';

/** Errors: one class for each way in which a call ends that gives no answer. */

class SandbarError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

class LoadError extends SandbarError {
  constructor(message, { kind, outcome, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    if (outcome) this.outcome = outcome;
  }
}

class PluginError extends SandbarError {
  constructor(message, { outcome, receipt, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.outcome = outcome;
    this.receipt = receipt ?? null;
  }
}

class FailedError extends PluginError {}

class StoppedError extends PluginError {
  /** The name of the limit that was used up. */
  get limit() {
    return this.outcome.limit;
  }
}

class TrappedError extends PluginError {}
class RefusedError extends PluginError {}
class CancelledError extends PluginError {}
class FaultError extends PluginError {}

/** What a function of the host throws to refuse what it was asked for. */
class DeniedError extends SandbarError {}

const CLASSES = {
  failed: FailedError,
  stopped: StoppedError,
  trapped: TrappedError,
  refused: RefusedError,
  cancelled: CancelledError,
  fault: FaultError,
};

/** The error of what the addon says in JSON. `thrown` is what a function of the host threw, if one did. */
function errorOf(json, thrown) {
  const { message, outcome, receipt, load } = JSON.parse(json);
  const cause = thrown?.value;
  if (load) return new LoadError(message, { kind: load, outcome: outcome ?? undefined, cause });
  const Class = CLASSES[outcome.kind] ?? PluginError;
  return new Class(message, { outcome, receipt, cause: outcome.kind === 'fault' ? cause : undefined });
}

/** The error of a call that was not let in. */
function refused(message) {
  return new RefusedError(`refused: ${message}`, { outcome: { kind: 'refused', why: { because: 'event', message } } });
}

/** The error of a call for which there is no room. */
function busy(message) {
  return new RefusedError(`refused: ${message}`, { outcome: { kind: 'refused', why: { because: 'busy', retry_after_s: 1 } } });
}

/** The error of a call that was cancelled before it began. */
function cancelled(reason) {
  return new CancelledError('the call was cancelled', { outcome: { kind: 'cancelled' }, cause: reason });
}

module.exports = {
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
  errorOf,
  refused,
  busy,
  cancelled,
};
