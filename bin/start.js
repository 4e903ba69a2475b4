// The files of this folder keep to old syntax: an older Node must be able to read them as far as the line that says that
// it is too old. Native modules crash it without a word. They are CommonJS, which starts faster than ES modules do.
var existsSync = require('node:fs').existsSync;
var path = require('node:path');
var url = require('node:url');

var top = path.join(__dirname, '..');

/**
 * Runs a program of this package: its TypeScript source in a checkout where Node runs it, else what was built from it,
 * in one file where the build has made one. On a Node before 22.15 it says so in one line instead, with exit code 1.
 * @param {string} command what it is called
 * @param {string} program its path from the top of the package, without `.ts`
 * @param {string[]} [quick] the first words after which it does something of its own that must not take long
 */
exports.start = function start(command, program, quick) {
  if (!hasRequiredNode(command)) return;
  var compiled = require('./compile-cache.js');
  var source = path.join(top, program + '.ts');
  var bundle = path.join(top, 'dist', 'bundles', command + '.bundle');
  if (process.features.typescript && existsSync(source)) {
    compiled.keepCompiledCode();
    import(url.pathToFileURL(source).href);
  } else if (existsSync(bundle)) {
    var word = process.argv[2];
    compiled.runKept(bundle, quick && quick.includes(word) ? command + '-' + word : command);
  } else {
    compiled.keepCompiledCode();
    import(url.pathToFileURL(path.join(top, 'dist', program + '.js')).href);
  }
};

/** @param {string} command */
function hasRequiredNode(command) {
  var numbers = process.versions.node.split('.').map(Number);
  if (numbers[0] > 22 || (numbers[0] === 22 && numbers[1] >= 15)) return true;
  console.error(
    command +
      ': error: Node 22.15 or later is needed, this is ' +
      process.versions.node +
      ' (npm install -g node@24, or use the one in node_modules/.bin)',
  );
  process.exitCode = 1;
  return false;
}
