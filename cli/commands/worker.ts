import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { WarrenError } from '../../shared/errors.ts';
import { readManifest } from '../../shared/event-source/manifest.ts';
import { startWorker } from '../../shared/event-source/worker.ts';
import { createLog } from '../../shared/log.ts';
import { environment, required } from '../context.ts';
import { printManifest } from '../manifest.ts';

interface Options {
  manifest?: string;
  host: string;
  port: number;
  drain: number;
  http: boolean;
}

export function register(program: Command): void {
  program
    .command('worker')
    .description('feed functions from their queues and call them in this process, until SIGTERM')
    .argument('[functions...]', 'keys of functions in serverless.yml; default all that a queue feeds')
    .option(
      '-m, --manifest <file>',
      'what `warren manifest` wrote; default serverless.yml, read by serverless',
    )
    .option('--host <address>', 'where /metrics, /healthz and /readyz are answered', '127.0.0.1')
    .option('-p, --port <port>', 'its port; 0 for any', wholeNumber(0, 65_535), 9464)
    .option('--no-http', 'answer nothing')
    .option(
      '-d, --drain <seconds>',
      'how long calls in flight may take after SIGTERM',
      wholeNumber(0, 86_400),
      30,
    )
    .addHelpText(
      'after',
      `
The exit code after SIGTERM or Ctrl-C is 0 when all was done, 1 when the time was up; what was not done is back in its
queue. AMQP_URL names the broker, or several nodes separated by commas.

Examples:
  warren worker
  warren worker resize-picture --port 9465
  warren worker --manifest warren.json --host 0.0.0.0`,
    )
    .action(async (functions: string[], options: Options) => {
      // Handlers read the environment itself.
      Object.assign(process.env, environment());
      const log = createLog({
        LOG_LEVEL: process.env['LOG_LEVEL'] || 'info',
        AWS_LAMBDA_FUNCTION_NAME: 'worker',
      });
      const { manifest: file, host, port, http } = options;
      const manifest = readManifest(file === undefined ? await printManifest() : await read(file));
      const worker = await startWorker({
        ...{ manifest, functions, log, url: required('AMQP_URL') },
        folder: file === undefined ? '.' : dirname(resolve(file)),
        http: http ? { host, port } : undefined,
      });
      log.info({ queues: worker.mappings.map(({ queue }) => queue), port: worker.port }, 'worker is up');
      const signal = await firstSignal();
      log.info({ signal, drainSeconds: options.drain }, 'draining');
      const done = await worker.stop(options.drain * 1000);
      log[done ? 'info' : 'warn'](
        done ? 'all was done' : 'time is up; what was not done is back in its queue',
      );
      // A function keeps its connections for its next call, and there is none.
      process.exit(done ? 0 : 1);
    });
}

async function read(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new WarrenError('ERR_CONFIG', `${file}: can't be read (${cause.code})`, { cause });
  });
}

async function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((done) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => done(signal));
  });
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
  };
}
