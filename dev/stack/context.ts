import type { ChildSettings, StackChild } from '../../runtime/local/process.ts';
import type { Report } from '../../runtime/local/report.ts';
import type { Ports } from './ports.ts';
import type { Secrets } from './secrets.ts';
import type { StackEnv } from './stack-env.ts';

/** What a part of the stack is given to start with. */
export interface StackContext {
  /** Absolute path of the folder that holds everything the stack keeps. */
  dataDir: string;
  ports: Ports;
  secrets: Secrets;
  /** The settings the user made: with one of them set, that part is used as it is and not started. */
  given: Record<string, string | undefined>;
  report: Report;
  /** Aborts when another part failed or a stop was asked for. */
  signal: AbortSignal;
  /** Starts a program that is stopped with the stack, whatever happens. */
  spawn(settings: ChildSettings): StackChild;
}

/** A started part: what others need to reach it, and how it ends. */
export interface Part {
  env: Partial<StackEnv>;
  /** Address to show to the user, without a password. */
  address: string;
  stop(): Promise<void>;
}
