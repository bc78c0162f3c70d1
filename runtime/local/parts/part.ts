import type { ChildSettings, StackChild } from '../process.ts';
import type { Report } from '../report.ts';
import { StackError } from '../stack-error.ts';

/** What a part beside the broker needs to start. */
export interface PartOptions {
  /** Absolute path of the folder for its data, and for its output in the existing folder `logs`. */
  dataDir: string;
  report: Report;
  /** Calls the start off. */
  signal: AbortSignal;
  spawn(settings: ChildSettings): StackChild;
}

/** A started part. */
export interface StartedPart<Variable extends string> {
  /** The variables by which functions reach it. */
  env: Record<Variable, string>;
  /** Address to show to people, without a password. */
  address: string;
  stop(): Promise<void>;
}

/**
 * Loads a package that only projects with this part need to have installed.
 *
 * @param advice what to do if it is missing.
 * @throws StackError if it is not installed.
 */
export async function loadPackage<Module>(name: string, advice: string): Promise<Module> {
  try {
    return (await import(name)) as Module;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new StackError(`${name} is not installed: ${advice}`, { cause });
  }
}
