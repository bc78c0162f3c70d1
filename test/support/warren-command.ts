import { execFile } from 'node:child_process';
import { vi } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { commands } from '../../runtime/cli/commands.ts';
import { runProgram } from '../../runtime/cli/program.ts';

export interface CommandResult {
  code: number;
  out: string;
  err: string;
}

/**
 * Runs `warren` in this process, which saves the start of a process: some seconds on a busy machine. Only one can run at a time.
 * A command whose arguments are wrong ends its process, and needs `startWarren`.
 *
 * @param env variables besides those of this process.
 */
export async function runWarren(
  args: readonly string[],
  env: Record<string, string>,
): Promise<CommandResult> {
  const lines = { out: '', err: '' };
  const spies = (['log', 'error'] as const).map((stream) =>
    vi.spyOn(console, stream).mockImplementation((...texts: unknown[]) => {
      lines[stream === 'log' ? 'out' : 'err'] += `${texts.join(' ')}\n`;
    }),
  );
  const { argv, exitCode } = process;
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  process.argv = [process.execPath, 'warren', ...args];
  process.exitCode = 0;
  try {
    await runProgram('warren', commands);
    return { code: Number(process.exitCode), ...lines };
  } finally {
    process.argv = argv;
    process.exitCode = exitCode;
    vi.unstubAllEnvs();
    for (const spy of spies) spy.mockRestore();
  }
}

/** The arguments of Node that start `warren`. */
export const warrenArguments = (args: readonly string[]): string[] => [
  projectFile('dev/warren.mjs'),
  ...args,
];

/** The environment of a `warren` process. Continuous integration has colors forced, which a pipe would then hold. */
export const warrenEnvironment = (env: Record<string, string>): NodeJS.ProcessEnv => ({
  ...process.env,
  WARREN_DATA: '/nowhere',
  NO_COLOR: '1',
  FORCE_COLOR: undefined,
  ...env,
});

/** Runs `warren` in a process of its own, without a terminal. */
export function startWarren(args: readonly string[], env: Record<string, string>): Promise<CommandResult> {
  const options = { env: warrenEnvironment(env), timeout: 120_000 };
  return new Promise((resolve) => {
    execFile(process.execPath, warrenArguments(args), options, (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err }),
    );
  });
}
