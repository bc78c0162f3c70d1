import { readFile } from 'node:fs/promises';

/** Reads the notes that are there, one a line. The last line may be written just now, and is left out until it has its end. */
export async function readNotes<Note>(file: string): Promise<Note[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Note);
}

/**
 * Number of messages that are done.
 *
 * @param nameOf identifies the message of a note.
 */
export const doneIn = <Note extends { step: string }>(
  notes: readonly Note[],
  nameOf: (note: Note) => string | number,
): number => new Set(notes.filter(({ step }) => step === 'done').map(nameOf)).size;
