import { run } from './program.ts';

// A prompt whose terminal goes away never answers, and the process then ends by itself: that is no success.
process.exitCode = 1;
void run(process.argv.slice(2)).then((exitCode) => {
  // All output has left by now. A read of standard input may still wait, and would keep an ended command alive.
  process.exit(exitCode);
});
