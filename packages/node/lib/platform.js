'use strict';

/** The platform that Node.js was built for, as addons are named: `linux-x64-gnu`. */

function platform() {
  return [process.platform, process.arch, libc()].filter(Boolean).join('-');
}

/** Which C library, on Linux. */
function libc() {
  if (process.platform !== 'linux') return '';
  const { report } = process;
  // A report that tells of the network asks for the names of its addresses, which may take seconds.
  const before = report.excludeNetwork;
  report.excludeNetwork = true;
  const { header } = report.getReport();
  report.excludeNetwork = before;
  return header.glibcVersionRuntime ? 'gnu' : 'musl';
}

module.exports = { platform: platform() };
