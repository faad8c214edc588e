'use strict';

/** Writes what JavaScript has as the JSON of `docs/values.md`. */

const ELEMENTS = new Map([
  [Int8Array, 'i8'],
  [Int16Array, 'i16'],
  [Uint16Array, 'u16'],
  [Int32Array, 'i32'],
  [Uint32Array, 'u32'],
  [BigInt64Array, 'i64'],
  [BigUint64Array, 'u64'],
  [Float32Array, 'f32'],
  [Float64Array, 'f64'],
]);

/**
 * Writes a value; nothing at all for `undefined`. Bytes become base64, which both kinds of plugin take; another typed array is
 * a list to a component, and a list with its type to a core module, which has no types of its own.
 */
function stringify(value, isComponent) {
  if (value === undefined) return '';
  let text;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    // A bigint, or a value that holds itself: the second try tells which.
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(value, replacer(isComponent));
  }
  if (text === undefined) throw new TypeError(`arguments can't be written as JSON: found a ${typeof value}`);
  // Looking through the text is far quicker than looking through the values.
  return mayHoldOthers(text) ? JSON.stringify(value, replacer(isComponent)) : text;
}

/** Whether a text may be that of a typed array, a map or a set: they look like this. */
function mayHoldOthers(text) {
  return text.includes('{}') || text.includes('{"0":') || text.includes('"type":"Buffer"');
}

function replacer(isComponent) {
  return function replace(key, shown) {
    const value = this[key];
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
    if (typeof value !== 'object' || value === null) return shown;
    if (value instanceof Uint8Array || value instanceof Uint8ClampedArray) return base64(value);
    if (value instanceof ArrayBuffer) return base64(new Uint8Array(value));
    if (value instanceof Map || value instanceof Set) return [...value];
    const element = ArrayBuffer.isView(value) ? ELEMENTS.get(value.constructor) : undefined;
    if (element === undefined) return shown;
    const list = Array.from(value, (number) => (typeof number === 'number' && !Number.isFinite(number) ? `${number}` : number));
    return isComponent ? list : { [element]: list };
  };
}

function base64(bytes) {
  return { base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64') };
}

module.exports = { stringify };
