import { commands, type LazyCommand, runProgram } from 'warren/cli';
import { hint, joinStack } from './join-stack.ts';

const own: readonly LazyCommand[] = [
  { name: 'start', load: () => import('./commands/start.ts') },
  { name: 'demo', load: () => import('./commands/demo.ts') },
  { name: 'alert', load: () => import('./commands/alert.ts') },
  { name: 'picture', load: () => import('./commands/picture.ts') },
  { name: 'prepare', load: () => import('../deploy/prepare.ts') },
  { name: 'users', load: () => import('../deploy/people/users.ts') },
  { name: 'walkers', load: () => import('../deploy/people/walkers.ts') },
  { name: 'token', load: () => import('./commands/token.ts') },
];

await runProgram(
  'Serverless functions fed by RabbitMQ: the sample with its stack, its producers, and the runtime.',
  [joinStack, ...own, ...commands],
  hint,
);
