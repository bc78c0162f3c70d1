import { readdirSync, readFileSync } from 'node:fs';

/** Ids of the processes that have the text in their environment (Linux). */
export const processesWith = (text: string): string[] =>
  readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && environmentOf(pid).includes(text));

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    // It has ended, or belongs to another user.
    return '';
  }
}
