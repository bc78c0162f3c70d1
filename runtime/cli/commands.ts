import type { LazyCommand } from './program.ts';

/** Every subcommand of the runtime. */
export const commands: readonly LazyCommand[] = [
  { name: 'init', load: () => import('./commands/init.ts') },
  { name: 'dev', load: () => import('./commands/dev.ts') },
  { name: 'worker', load: () => import('./commands/worker.ts') },
  { name: 'function-process', load: () => import('./commands/function-process.ts') },
  { name: 'serve', load: () => import('./commands/serve.ts') },
  { name: 'http-process', load: () => import('./commands/http-process.ts') },
  { name: 'schedule', load: () => import('./commands/schedule.ts') },
  { name: 'manifest', load: () => import('./commands/manifest.ts') },
  { name: 'topology', load: () => import('./commands/topology.ts') },
  { name: 'asyncapi', load: () => import('./commands/asyncapi.ts') },
  { name: 'dead-letters', load: () => import('./commands/dead-letters.ts') },
  { name: 'board', load: () => import('./commands/board.ts') },
  { name: 'publish', load: () => import('./commands/publish.ts') },
  { name: 'scheduled', load: () => import('./commands/scheduled.ts') },
  { name: 'rpc', load: () => import('./commands/rpc.ts') },
  { name: 'spy', load: () => import('./commands/spy.ts') },
  { name: 'record', load: () => import('./commands/record.ts') },
  { name: 'replay', load: () => import('./commands/replay.ts') },
];
