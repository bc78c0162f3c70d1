/** For a project with commands of its own: the `warren` command with more subcommands. */
export { makeUsers } from './cli/broker-users.ts';
export { commands } from './cli/commands.ts';
export { environment, jsonOrText, MissingVariableError, print, required } from './cli/context.ts';
export { type LazyCommand, type Register, runProgram } from './cli/program.ts';
export { addServiceOptions, type ServiceOptions, selectedService } from './cli/service.ts';
export { table } from './cli/table.ts';
