import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type FiledState,
  indexFile,
  readIndexFile,
  writeIndexFile,
} from '../../../runtime/dead-letters/index-file.ts';

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-index-file-'));
  path = indexFile(folder, 'amqp://127.0.0.1');
});
afterAll(() => rm(folder, { recursive: true }));

const state: FiledState = {
  log: { offset: 7, fingerprint: 'f' },
  early: [[8, 9]],
  gone: [{ start: 0, first: 0, last: 2, ending: 'replayed', at: 1_700_000_000_000, to: 'bank', by: 'ada' }],
  columns: {
    failures: [{ queue: 'shop', reason: 'rejected', error: 'Error: no' }],
    offsets: [3, 7],
    ids: ['a', 'b'],
    failureOf: [0, 0],
    failedAt: [1, null],
    bytes: [2, 2],
  },
};

describe('the file of the index', () => {
  it('index file: it is read as it was written, also after several writers at the same time', async () => {
    await Promise.all(Array.from({ length: 20 }, () => writeIndexFile(path, state)));
    expect(await readIndexFile(path)).toMatchObject(state);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toHaveLength(1);
  });

  it.each([
    ['is empty', ''],
    ['has no columns', { ...state, columns: undefined }],
    ['has fewer ids than offsets', { ...state, columns: { ...state.columns, ids: ['a'] } }],
    ['names a failure that it lacks', { ...state, columns: { ...state.columns, failureOf: [0, 1] } }],
    ['has its offsets in another order', { ...state, columns: { ...state.columns, offsets: [7, 3] } }],
    ['has ids that are no texts', { ...state, columns: { ...state.columns, ids: ['a', null] } }],
    ['has other marks', { ...state, early: [5] }],
    ['has another last entry', { ...state, log: 7 }],
    ['is from another version', { ...state, version: 1 }],
  ])('index file: one that %s is not read, and the index begins anew', async (_, content) => {
    const text = typeof content === 'string' ? content : JSON.stringify({ version: 1, ...content });
    await writeFile(path, text);
    expect(await readIndexFile(path)).toBeUndefined();
  });
});
