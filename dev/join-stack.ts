import type { Command } from 'commander';
import { MissingVariableError } from 'warren/cli';
import type { WarrenError } from 'warren/functions';
import { stackEnvironment } from './stack/read-stack-env.ts';

/** These start a stack, or look for one themselves: an address that is set counts as the user's own for them. */
const starters = new Set(['start', 'demo']);

/** Lets every other command reach the stack that runs in this folder, without any setting. */
export function joinStack(program: Command): void {
  program.hook('preAction', (_program, command) => {
    if (starters.has(command.name())) return;
    Object.assign(process.env, stackEnvironment());
  });
}

/** What to do about a setting that the stack would have. */
export function hint(error: WarrenError): string {
  return error instanceof MissingVariableError
    ? ': start the stack with `npm start`, or set it yourself'
    : '';
}
