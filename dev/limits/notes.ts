import { readFile } from 'node:fs/promises';

/** What a call of the course's function did, in the order of all workers. */
export interface Note {
  step: 'begun' | 'failed' | 'done';
  n: number;
  /** Deliveries of the message that the function knows of, this one included. */
  attempt: number;
  /** Id of the process of its worker. */
  worker: number;
  /** Milliseconds since 1970. */
  at: number;
}

/** Reads the notes that are there. A worker that is killed leaves no half line, because it writes each at once. */
export async function readNotes(file: string): Promise<Note[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Note);
}

/** Number of messages that are done. */
export const doneIn = (notes: readonly Note[]): number =>
  new Set(notes.filter(({ step }) => step === 'done').map(({ n }) => n)).size;
