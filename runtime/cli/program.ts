import { inspect } from 'node:util';
import { Command } from 'commander';
import { WarrenError } from '../base/errors.ts';
import { escapeControls } from '../base/visible.ts';

/** Adds a command to the program. */
export type Register = (program: Command) => void;

/** A command that is loaded only if the arguments name it, or if they name no command, such as for the help. */
export interface LazyCommand {
  name: string;
  load(): Promise<{ register: Register }>;
}

/**
 * Runs the `warren` command with these subcommands on the arguments of the process.
 *
 * @param hint returns text to append to the message of an error, such as the remedy for a missing setting.
 */
export async function runProgram(
  description: string,
  registers: readonly (Register | LazyCommand)[],
  hint: (error: WarrenError) => string = () => '',
): Promise<void> {
  const program = new Command('warren')
    .description(description)
    .option('--json', 'print results as JSON')
    .showHelpAfterError('(add --help for the options and examples)');
  for (const register of await loadNamed(registers)) register(program);
  try {
    await program.parseAsync();
  } catch (error) {
    // The message of an expected error is complete; an unexpected error needs its stack trace.
    const text = error instanceof WarrenError ? `warren: ${error.message}${hint(error)}` : inspect(error);
    // Texts of errors contain names and texts of untrusted senders.
    console.error(escapeControls(text));
    process.exitCode = 1;
  }
}

/** Loads the command that the arguments name; most of the time before a command does its work is loading. */
async function loadNamed(registers: readonly (Register | LazyCommand)[]): Promise<Register[]> {
  const word = process.argv.slice(2).find((argument) => !argument.startsWith('-'));
  const isLazy = (each: Register | LazyCommand) => typeof each !== 'function';
  const isKnown = registers.some((each) => isLazy(each) && each.name === word);
  const chosen = registers.filter((each) => !isKnown || !isLazy(each) || each.name === word);
  return Promise.all(
    chosen.map(async (each) => (typeof each === 'function' ? each : (await each.load()).register)),
  );
}
