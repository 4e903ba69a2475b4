import { bootstrap } from './bootstrap.ts';

// The serving code is loaded after the bootstrap only, so that nothing native runs in the process it replaces.
if (await bootstrap()) {
  const { runDaemon } = await import('./daemon.ts');
  await runDaemon(process.argv.slice(2), process.env);
}
