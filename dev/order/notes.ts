import { doneIn as countDone, readNotes as read } from '../course/notes.ts';

/** What a call of the course's function did, in the order of all workers. */
export interface Note {
  step: 'begun' | 'failed' | 'done';
  customer: string;
  n: number;
  pid: number;
  /** Id of the process of its worker, which is the same if functions have none of their own. */
  worker: number;
  /** Milliseconds since 1970. */
  at: number;
}

/** Reads the notes of all workers. */
export const readNotes = (file: string): Promise<Note[]> => read<Note>(file);

/** Number of messages that are done. */
export const doneIn = (notes: readonly Note[]): number => countDone(notes, nameOf);

export const nameOf = ({ customer, n }: Pick<Note, 'customer' | 'n'>): string => `${customer} ${n}`;
