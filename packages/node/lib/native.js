'use strict';

/**
 * Finds the addon: beside the package, where it was built here or came with the package, or in the package of this platform.
 */
const path = require('node:path');
const { platform } = require('./platform.js');

function load() {
  const tried = [path.join(__dirname, '..', `sandbar.${platform}.node`), `@sandbar/native-${platform}`];
  const causes = [];
  for (const place of tried) {
    try {
      return require(place);
    } catch (error) {
      causes.push(error);
      // What is there and can't be loaded is worth more than what is not there.
      if (error.code !== 'MODULE_NOT_FOUND') break;
    }
  }
  const error = new Error(
    `the addon of \`sandbar\` for \`${platform}\` is not there: tried ${tried.map((place) => `\`${place}\``).join(', ')}; ` +
      'hint: build it with `npm run build` in the package, which takes Rust',
  );
  error.cause = causes.at(-1);
  throw error;
}

module.exports = { native: load() };
