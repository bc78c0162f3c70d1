import { doneIn as countDone, readNotes as read } from '../course/notes.ts';

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

/** Reads the notes of all workers. */
export const readNotes = (file: string): Promise<Note[]> => read<Note>(file);

/** Number of messages that are done. */
export const doneIn = (notes: readonly Note[]): number => countDone(notes, ({ n }) => n);
