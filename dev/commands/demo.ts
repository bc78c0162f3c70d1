import type { Command } from 'commander';
import { print } from 'warren/cli';
import { onSignal } from '../../runtime/cli/signals.ts';
import { table } from '../../runtime/cli/table.ts';
import { dataDir, stackEnvironment } from '../stack/read-stack-env.ts';

export function register(program: Command): void {
  program
    .command('demo')
    .description(
      'do the main job on a real photograph and show what happened; starts the stack if it is not up',
    )
    .addHelpText('after', '\nExamples:\n  warren demo\n  warren --json demo')
    .action(async (_options: object, command: Command) => {
      // Progress goes to stderr, so that it does not mix with --json.
      const log = (text: string) => console.error(text);
      const stack = await useStack(log);
      try {
        const { runDemo } = await import('../demo/demo.ts');
        const steps = await runDemo(stack.env, log);
        const rows = steps.map(({ step, result, ms, ok }) => [
          ok ? 'ok' : 'FAILED',
          step,
          result,
          ms === undefined ? '' : `${ms} ms`,
        ]);
        print(command, steps, () => `\n${table(['', 'what', 'result', 'after'], rows)}`);
        const mailbox = stack.env['MAILBOX_URL'];
        if (mailbox && !stack.ours) log(`The mails: ${mailbox}`);
        if (steps.some(({ ok }) => !ok)) process.exitCode = 1;
      } finally {
        await stack.stop();
      }
    });
}

type Env = Record<string, string | undefined>;

/** The stack that runs in this folder, or one of our own until the demo is over. */
async function useStack(
  log: (text: string) => void,
): Promise<{ env: Env; ours: boolean; stop(): Promise<void> }> {
  const env = stackEnvironment();
  if (env['HTTP_URL'] && (await answers(env['HTTP_URL']))) {
    log(`Using the stack at ${env['HTTP_URL']}.`);
    return { env, ours: false, stop: async () => undefined };
  }
  log('No stack is up: starting one for the demo.');
  const { startStack } = await import('../stack/stack.ts');
  const report = (part: string, text: string) => log(`  ${part.padEnd(9)} ${text}`);
  const asked = new AbortController();
  onSignal(() => asked.abort());
  const stack = await startStack({
    dataDir: dataDir(),
    ports: 'default',
    functions: 'offline',
    report,
    signal: asked.signal,
  });
  return {
    env: { ...env, ...stack.env },
    ours: true,
    stop() {
      log('Stopping what was started for the demo.');
      return stack.stop();
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(new URL('/health', url), { signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    return false;
  }
}
