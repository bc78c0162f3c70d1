import { register as deadLetters } from './commands/dead-letters.ts';
import { register as dev } from './commands/dev.ts';
import { register as functionProcess } from './commands/function-process.ts';
import { register as httpProcess } from './commands/http-process.ts';
import { register as init } from './commands/init.ts';
import { register as manifest } from './commands/manifest.ts';
import { register as publish } from './commands/publish.ts';
import { register as rpc } from './commands/rpc.ts';
import { register as schedule } from './commands/schedule.ts';
import { register as serve } from './commands/serve.ts';
import { register as spy } from './commands/spy.ts';
import { register as topology } from './commands/topology.ts';
import { register as worker } from './commands/worker.ts';
import type { Register } from './program.ts';

/** Every subcommand of the runtime. */
export const commands: readonly Register[] = [
  init,
  dev,
  worker,
  functionProcess,
  serve,
  httpProcess,
  schedule,
  manifest,
  topology,
  deadLetters,
  publish,
  rpc,
  spy,
];
