import { readFile } from 'node:fs/promises';

/** What a call of the course's function did, in the order of all workers. */
export interface Note {
  step: 'begun' | 'failed' | 'done';
  customer: string;
  n: number;
  pid: number;
  /** Milliseconds since 1970. */
  at: number;
}

/** Reads the notes that are there. A worker that is killed leaves no half line, because it writes each at once. */
export async function readNotes(file: string): Promise<Note[]> {
  const text = await readFile(file, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Note);
}

/** Number of messages that are done. */
export function doneIn(notes: readonly Note[]): number {
  return new Set(notes.filter(({ step }) => step === 'done').map(nameOf)).size;
}

export const nameOf = ({ customer, n }: Pick<Note, 'customer' | 'n'>): string => `${customer} ${n}`;
