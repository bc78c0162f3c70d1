// The `warren` command of the container image: the hosts, and an operator's tools.
import { commands, runProgram } from 'warren/cli';
import { register as prepare } from './prepare.ts';

await runProgram(
  'Serverless functions fed by RabbitMQ: workers, routes and schedules, and tools for operators.',
  [...commands, prepare],
);
