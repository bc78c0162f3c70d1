import { register as alert } from './commands/alert.ts';
import { register as deadLetters } from './commands/dead-letters.ts';
import { register as demo } from './commands/demo.ts';
import { register as manifest } from './commands/manifest.ts';
import { register as picture } from './commands/picture.ts';
import { register as prepare } from './commands/prepare.ts';
import { register as publish } from './commands/publish.ts';
import { register as rpc } from './commands/rpc.ts';
import { register as schedule } from './commands/schedule.ts';
import { register as serve } from './commands/serve.ts';
import { register as spy } from './commands/spy.ts';
import { register as start } from './commands/start.ts';
import { register as token } from './commands/token.ts';
import { register as topology } from './commands/topology.ts';
import { register as worker } from './commands/worker.ts';
import { runProgram } from './program.ts';

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
