#!/usr/bin/env node
// The `warren` command of the package: what serves any project, without this project's own stack and producers.
import { register as deadLetters } from './commands/dead-letters.ts';
import { register as manifest } from './commands/manifest.ts';
import { register as publish } from './commands/publish.ts';
import { register as rpc } from './commands/rpc.ts';
import { register as spy } from './commands/spy.ts';
import { register as topology } from './commands/topology.ts';
import { register as worker } from './commands/worker.ts';
import { runProgram } from './program.ts';

await runProgram('Serverless functions fed by RabbitMQ: a worker, and tools for operators.', [
  worker,
  manifest,
  topology,
  deadLetters,
  publish,
  rpc,
  spy,
]);
