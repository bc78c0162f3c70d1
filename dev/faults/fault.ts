import { setTimeout as pause } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import type { Database } from '../../shared/database/schema.ts';
import type { Parts } from './parts.ts';
import type { Requests } from './requests.ts';
import type { Chance } from './seed.ts';
import type { Workers } from './workers.ts';

/** A fault that strikes while the load is on. */
export interface Fault {
  name: string;
  /** Usual duration in seconds, if parts are unavailable for that long. */
  takes(away: number): number;
  /**
   * Time before the fault in which a mail may have been accepted without a record of that, in milliseconds: such a mail is sent
   * again. Undefined if no mail may be doubled.
   */
  mayDouble?(away: number): number | undefined;
  /** Whether a call may run again, because its delivery or its acknowledgement was lost. */
  redelivers?: boolean;
  /** Whether the broker confirms nothing meanwhile: a reply is then sent again, and its call is not made again. */
  confirmsNothing?: boolean;
  /** Whether requests must be refused meanwhile; otherwise the fault had no effect. */
  refuses?: boolean;
  /** Whether a cluster has to go on meanwhile. */
  takesNode?: boolean;
  /** Least number of nodes of the broker, default 1. */
  nodes?: number;
  strike(scene: Scene): Promise<void>;
}

export interface Scene {
  parts: Parts;
  workers: Workers;
  chance: Chance;
  /** Accepts the messages that a fault itself sends, so that they are counted. */
  requests: Requests;
  /** Bypasses the links. */
  db: Kysely<Database>;
  /** Seconds for which storage, database and mailbox are unavailable. */
  away: number;
  /** Of the broker. */
  nodes: number;
  /** Records why the fault had no effect. */
  unfelt(why: string): void;
  /** Records a promise that was broken while the fault lasted. */
  broken(promise: string): void;
}

export const seconds = (count: number) => pause(count * 1000);

/** Milliseconds from the mail server's acceptance to the row that records it, if the function is not delayed. */
export const writing = 3000;

/** Waits until a condition holds. @returns false if it does not within the time limit, in seconds. */
export async function within(limit: number, holds: () => Promise<boolean>): Promise<boolean> {
  const until = performance.now() + limit * 1000;
  while (!(await holds())) {
    if (performance.now() > until) return false;
    await pause(300);
  }
  return true;
}
