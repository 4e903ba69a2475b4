import { bootstrap } from './bootstrap.ts';

async function main(): Promise<void> {
  // The serving code is loaded after the bootstrap only, so that nothing native runs in the process it replaces.
  if (!(await bootstrap())) return;
  const { runDaemon } = await import('./daemon.ts');
  await runDaemon(process.argv.slice(2), process.env);
}

void main();
