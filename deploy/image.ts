// The `warren` command of the container image: the hosts, and an operator's tools.
import { commands, runProgram } from 'warren/cli';

await runProgram(
  'Serverless functions fed by RabbitMQ: workers, routes and schedules, and tools for operators.',
  [
    ...commands,
    { name: 'prepare', load: () => import('./prepare.ts') },
    { name: 'users', load: () => import('./people/users.ts') },
    { name: 'walkers', load: () => import('./people/walkers.ts') },
  ],
);
