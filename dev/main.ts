import { commands, runProgram } from 'warren/cli';
import { register as prepare } from '../deploy/prepare.ts';
import { register as alert } from './commands/alert.ts';
import { register as demo } from './commands/demo.ts';
import { register as picture } from './commands/picture.ts';
import { register as start } from './commands/start.ts';
import { register as token } from './commands/token.ts';
import { hint, joinStack } from './join-stack.ts';

await runProgram(
  'Serverless functions fed by RabbitMQ: the sample with its stack, its producers, and the runtime.',
  [joinStack, start, demo, alert, picture, prepare, token, ...commands],
  hint,
);
