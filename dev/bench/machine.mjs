import { cpus } from 'node:os';

/** The machine of a run, for its raw numbers. */
export const machine = () => ({ cores: cpus().length, node: process.version });
