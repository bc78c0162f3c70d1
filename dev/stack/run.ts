import { relative } from 'node:path';
import pc from 'picocolors';
import { onSignal } from '../../runtime/cli/signals.ts';
import { signalChildren } from '../../runtime/local/process.ts';
import type { Report } from '../../runtime/local/report.ts';
import type { FunctionsHost } from './functions.ts';
import { startStack } from './stack.ts';

export interface RunOptions {
  dataDir: string;
  functions: FunctionsHost | undefined;
}

/**
 * `warren start`: starts the stack, prints all addresses, and drains it at Ctrl-C, SIGTERM or if the terminal
 * closes. A second signal ends everything at once.
 *
 * @throws StackError with one line that contains the remedy.
 */
export async function runStack({ dataDir, functions }: RunOptions): Promise<void> {
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1000;
  const report: Report = (part, text) => {
    console.log(`${pc.dim(`${seconds().toFixed(1).padStart(5)} s`)}  ${pc.cyan(part.padEnd(9))} ${text}`);
  };
  const asked = untilAsked((signal) =>
    report('stop', `${signal}: draining; once more ends everything at once`),
  );
  try {
    const stack = await startStack({
      dataDir,
      ports: 'default',
      functions,
      board: functions !== undefined,
      report,
      signal: asked.signal,
    });
    const { summary } = await import('./summary.ts');
    console.log(
      await summary({ env: stack.env, folder: relative('.', dataDir), functions, seconds: seconds() }),
    );
    const failed = await Promise.race([stack.failed, asked.promise]);
    if (failed !== undefined) {
      process.exitCode = 1;
      report('stop', `${failed}; ending the rest`);
    }
    await stack.stop();
    report('stop', 'everything has ended; the data is kept');
  } catch (error) {
    // Called off: what had been started has been ended.
    if (!asked.signal.aborted) throw error;
    report('stop', 'called off');
  } finally {
    asked.done();
  }
}

/** The first signal aborts, a second one ends the process there and then. */
function untilAsked(onAsked: (signal: string) => void) {
  const asked = new AbortController();
  const { promise, resolve } = withResolvers<undefined>();
  // However we end, nothing stays behind.
  const onExit = () => signalChildren('SIGKILL');
  process.on('exit', onExit);
  const done = onSignal(
    (signal) => {
      onAsked(signal);
      asked.abort();
      resolve(undefined);
    },
    { signals: ['SIGINT', 'SIGTERM', 'SIGHUP'], exitCode: 130 },
  );
  return { promise, signal: asked.signal, done };
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
