'use strict';
// Run before the tests, by whichever Node is found: nothing here may need a newer one than it complains about.

const oldest = { major: 22, minor: 15 };

/** The Node that this checkout pins, as `24.21.0`. */
function pinnedVersion() {
  const dependencies = require('./package.json').optionalDependencies;
  return Object.values(dependencies)[0];
}

/** What is wrong with a Node of this version (as `v20.1.0`), in one line, or null when it is the pinned one. */
function complaintAbout(version, pinned) {
  const [major, minor] = version.slice(1).split('.').map(Number);
  const tooOld = major < oldest.major || (major === oldest.major && minor < oldest.minor);
  const remedy = 'run "npm ci", then use npm run, npm test or npx, which put the pinned Node first';
  if (tooOld)
    return `hushd needs Node ${oldest.major}.${oldest.minor} or newer and this is ${version}: ${remedy}`;
  if (version !== `v${pinned}`)
    return `the tests of hushd need Node ${pinned} and this is ${version}: ${remedy}`;
  return null;
}

module.exports = { complaintAbout, pinnedVersion };

if (require.main === module) {
  const complaint = complaintAbout(process.version, pinnedVersion());
  if (complaint !== null) {
    process.stderr.write(`${complaint}\n`);
    process.exitCode = 1;
  }
}
