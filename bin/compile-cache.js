var fs = require('node:fs');
var nodeModule = require('node:module');
var path = require('node:path');
var url = require('node:url');
var vm = require('node:vm');

/** So many hex digits at the end of a bundle tell it from every other. */
var stampLength = 32;

var besideTheCode = path.join(__dirname, '..', '.compiled');

/**
 * Lets Node keep what it compiles, which makes starts faster. What is kept is run at the next
 * start: it lies beside the code, where nobody can put anything who could not change the code itself, and in a folder
 * of this user alone. Where that cannot be had nothing is kept.
 * @param {string} [folder]
 * @returns {boolean}
 */
exports.keepCompiledCode = function keepCompiledCode(folder = besideTheCode) {
  var isOurs = isOursAlone(folder);
  if (isOurs) nodeModule.enableCompileCache(folder);
  return isOurs;
};

/**
 * Makes the folder, if it is not there, and tells whether it is one of this user alone.
 * @param {string} folder
 */
function isOursAlone(folder) {
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    var status = fs.lstatSync(folder.replace(/\/$/, ''));
    return status.uid === process.geteuid() && (status.mode & 0o170077) === 0o040000;
  } catch {
    // A package that another user has installed: everything works, only slower.
    return false;
  }
}

/**
 * Runs a program that tools/bundle.ts has made one file of. Node keeps of a file what is compiled when it is loaded; here
 * all that has been compiled when the program ends well is kept, which is what a short program spends its time on.
 * @param {string} file its whole path; its text is ASCII, and a function of `require`, `thisFile` and `importOnDemand`
 * @param {string} name what to keep it as; programs that do different things with the same file have different ones
 * @param {string} [folder]
 * @returns {any} what that function returns
 */
exports.runKept = function runKept(file, name, folder = besideTheCode) {
  var isKept = isOursAlone(folder);
  var text = fs.readFileSync(file, 'latin1');
  // What was compiled by another Node is of no use, and what was from another text, which V8 tells by its length alone.
  var kept = path.join(folder, [name, process.version, process.arch, text.slice(-stampLength)].join('-'));
  var compiled = isKept ? wholeIn(kept) : undefined;
  var script = new vm.Script(text, {
    filename: file,
    cachedData: compiled,
  });
  if (isKept && (compiled === undefined || script.cachedDataRejected)) {
    process.once('exit', function (code) {
      if (code === 0) keep(kept, script.createCachedData());
    });
  }
  var modules;
  return script.runInThisContext()(
    nodeModule.createRequire(file),
    url.pathToFileURL(file).href,
    function importOnDemand(specifier) {
      modules ??= exports.runKept(path.join(path.dirname(file), 'on-demand.bundle'), 'on-demand', folder);
      return modules[specifier]();
    },
  );
};

/**
 * What is kept, or undefined where it is not there or not whole: damaged code would end the process in its middle. It
 * stands in the file twice; to compare is the one check that is quick without loading something for it.
 * @param {string} file
 */
function wholeIn(file) {
  try {
    var bytes = fs.readFileSync(file);
    var half = bytes.subarray(0, bytes.length / 2);
    return half.equals(bytes.subarray(bytes.length / 2)) ? half : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Puts it there whole, whoever else does the same at that moment; where it cannot be kept it is made again.
 * @param {string} file
 * @param {Uint8Array} bytes
 */
function keep(file, bytes) {
  var part = file + '.' + process.pid;
  try {
    fs.writeFileSync(part, Buffer.concat([bytes, bytes]), { mode: 0o600, flag: 'wx' });
    fs.renameSync(part, file);
  } catch {
    fs.rmSync(part, { force: true });
  }
}
