import { readFile } from 'node:fs/promises';

/** Reads the notes that are there, one a line. A process that is killed leaves no half line, because it writes each at once. */
export async function readNotes<Note>(file: string): Promise<Note[]> {
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
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
