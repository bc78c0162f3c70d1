import { Command } from 'commander';
import { WarrenError } from '../shared/errors.ts';
import { register as alert } from './commands/alert.ts';
import { register as deadLetters } from './commands/dead-letters.ts';
import { register as demo } from './commands/demo.ts';
import { register as manifest } from './commands/manifest.ts';
import { register as picture } from './commands/picture.ts';
import { register as rpc } from './commands/rpc.ts';
import { register as spy } from './commands/spy.ts';
import { register as start } from './commands/start.ts';
import { register as token } from './commands/token.ts';
import { register as topology } from './commands/topology.ts';
import { register as worker } from './commands/worker.ts';

const program = new Command('warren')
  .description('Serverless functions fed by RabbitMQ: the stack, producers, and tools for operators.')
  .option('--json', 'print results as JSON')
  .showHelpAfterError('(add --help for the options and examples)');

for (const register of [
  start,
  demo,
  alert,
  picture,
  rpc,
  spy,
  deadLetters,
  topology,
  token,
  worker,
  manifest,
])
  register(program);

try {
  await program.parseAsync();
} catch (error) {
  // What we throw on purpose says all in its message; a stack trace is for what we didn't expect.
  console.error(error instanceof WarrenError ? `warren: ${error.message}` : error);
  process.exitCode = 1;
}
