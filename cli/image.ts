// The `warren` command of the container image: what runs there, and an operator's tools.
import { register as deadLetters } from './commands/dead-letters.ts';
import { register as prepare } from './commands/prepare.ts';
import { register as publish } from './commands/publish.ts';
import { register as rpc } from './commands/rpc.ts';
import { register as schedule } from './commands/schedule.ts';
import { register as serve } from './commands/serve.ts';
import { register as spy } from './commands/spy.ts';
import { register as token } from './commands/token.ts';
import { register as topology } from './commands/topology.ts';
import { register as worker } from './commands/worker.ts';
import { runProgram } from './program.ts';

await runProgram(
  'Serverless functions fed by RabbitMQ: workers, routes and schedules, and tools for operators.',
  [worker, serve, schedule, prepare, topology, deadLetters, publish, rpc, spy, token],
);
