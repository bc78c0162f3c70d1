import { randomInt } from 'node:crypto';
import { program } from 'commander';
import { wholeNumber } from '../../runtime/cli/hosting.ts';
import { say } from '../course/program.ts';
import { breaks } from './breaks.ts';
import { runBroken } from './broken.ts';
import { printRun } from './print.ts';
import { type RunOptions, run } from './run.ts';

program
  .name('npm run test:faults --')
  .description('load and faults at once, and then a count of what was lost or doubled')
  .option('--seed <text>', 'what order and moments follow from', String(randomInt(1_000_000)))
  .option('--pictures <count>', 'pictures to upload', wholeNumber(1, 100_000), 2000)
  .option('--alerts <count>', 'alerts to raise', wholeNumber(1, 100_000), 2000)
  .option('--orders <count>', 'dog walks and washes to order', wholeNumber(0, 100_000), 200)
  .option('--calls <count>', 'methods to call', wholeNumber(1, 100_000), 500)
  .option(
    '--faults <count>',
    'how many strike, each kind first once; default each once',
    wholeNumber(0, 1000),
  )
  .option('--calm <seconds>', 'load without a fault, before and after', wholeNumber(1, 600), 20)
  .option('--only <names...>', 'faults that may strike')
  .option('--workers <count>', 'processes that run the functions', wholeNumber(1, 10), 2)
  .option('--offline', 'serverless offline feeds functions too, through its Lambda API', false)
  .option('--nodes <count>', 'nodes of the broker; 3 are a cluster', wholeNumber(1, 3), 1)
  .option(
    '--away <seconds>',
    'duration for which storage, database and mail server are unavailable',
    wholeNumber(1, 600),
    30,
  )
  .option(
    '--break <what>',
    `break a promise on purpose, and see it noticed: all, ${Object.keys(breaks).join(', ')}`,
  )
  .parse();

const { break: broken, ...settings } = program.opts<Omit<RunOptions, 'say'> & { break?: string }>();
if (broken === undefined) {
  const result = await run({ ...settings, say });
  printRun({ ...settings, say }, result);
  process.exitCode = result.counts.every(({ problems }) => problems.length === 0) ? 0 : 1;
} else process.exitCode = await runBroken(broken, { ...settings, say });
