// The `warren` command of the package.
import { commands } from './commands.ts';
import { runProgram } from './program.ts';

await runProgram('Serverless functions fed by RabbitMQ: hosts for them, and tools for operators.', commands);
