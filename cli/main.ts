import { run } from './program.ts';

// A prompt whose terminal goes away never answers, and the process then ends by itself: that is no success.
process.exitCode = 1;
process.exitCode = await run(process.argv.slice(2));
