import { register as prepare } from '../deploy/prepare.ts';
import { register as deadLetters } from '../runtime/cli/commands/dead-letters.ts';
import { register as manifest } from '../runtime/cli/commands/manifest.ts';
import { register as publish } from '../runtime/cli/commands/publish.ts';
import { register as rpc } from '../runtime/cli/commands/rpc.ts';
import { register as schedule } from '../runtime/cli/commands/schedule.ts';
import { register as serve } from '../runtime/cli/commands/serve.ts';
import { register as spy } from '../runtime/cli/commands/spy.ts';
import { register as topology } from '../runtime/cli/commands/topology.ts';
import { register as worker } from '../runtime/cli/commands/worker.ts';
import { runProgram } from '../runtime/cli/program.ts';
import { register as alert } from './commands/alert.ts';
import { register as demo } from './commands/demo.ts';
import { register as picture } from './commands/picture.ts';
import { register as start } from './commands/start.ts';
import { register as token } from './commands/token.ts';

await runProgram('Serverless functions fed by RabbitMQ: the stack, producers, and tools for operators.', [
  start,
  demo,
  alert,
  picture,
  publish,
  rpc,
  spy,
  deadLetters,
  topology,
  prepare,
  token,
  worker,
  serve,
  schedule,
  manifest,
]);
