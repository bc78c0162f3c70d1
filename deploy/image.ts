// The `warren` command of the container image: what runs there, and an operator's tools.

import { register as token } from '../dev/commands/token.ts';
import { register as deadLetters } from '../runtime/cli/commands/dead-letters.ts';
import { register as publish } from '../runtime/cli/commands/publish.ts';
import { register as rpc } from '../runtime/cli/commands/rpc.ts';
import { register as schedule } from '../runtime/cli/commands/schedule.ts';
import { register as serve } from '../runtime/cli/commands/serve.ts';
import { register as spy } from '../runtime/cli/commands/spy.ts';
import { register as topology } from '../runtime/cli/commands/topology.ts';
import { register as worker } from '../runtime/cli/commands/worker.ts';
import { runProgram } from '../runtime/cli/program.ts';
import { register as prepare } from './prepare.ts';

await runProgram(
  'Serverless functions fed by RabbitMQ: workers, routes and schedules, and tools for operators.',
  [worker, serve, schedule, prepare, topology, deadLetters, publish, rpc, spy, token],
);
