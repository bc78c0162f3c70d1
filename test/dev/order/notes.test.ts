import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readNotes } from '../../../dev/course/notes.ts';

it('notes of a course: a line that is being written is left out', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'warren-notes-'));
  const file = join(folder, 'notes');
  await writeFile(file, '');
  expect(await readNotes(file)).toEqual([]);
  await writeFile(file, '{"n":1}\n{"n":2}\n{"step":"done","n"');
  expect(await readNotes(file)).toEqual([{ n: 1 }, { n: 2 }]);
  await rm(folder, { recursive: true });
});
