import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../runtime/base/log.ts';
import { AuditLog } from '../../../runtime/board/audit.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-audit-'));
});
afterAll(() => rm(folder, { recursive: true }));

const actionsOf = async (log: AuditLog, limit = 100, before?: string) =>
  (await log.latest(limit, before)).entries.map(({ action }) => action);

describe('the audit log of the board', () => {
  it('audit: entries are read by the next board, the latest first and in pages, also after a part of a line', async () => {
    const file = join(folder, 'new', 'audit.jsonl');
    const first = new AuditLog({ file, log: silentLog });
    await Promise.all(['a', 'b', 'c'].map((action) => first.add('ann', action, { job: action })));
    await appendFile(file, '{"at":"2026-');
    const second = new AuditLog({ file, log: silentLog });
    await second.add('bob', 'd', { job: 4 });
    const third = new AuditLog({ file, log: silentLog });
    expect(await actionsOf(third)).toEqual(['d', 'c', 'b', 'a']);
    const { entries } = await third.latest(2);
    expect(entries[0]).toMatchObject({ user: 'bob', detail: { job: 4 } });
    expect(await actionsOf(third, 100, entries[1]?.at)).toEqual(['b', 'a']);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('audit: the file is bounded, the one before it is kept, and a long detail is cut', async () => {
    const file = join(folder, 'bounded.jsonl');
    const log = new AuditLog({ file, log: silentLog, maxBytes: 5000 });
    for (let n = 0; n < 60; n += 1) await log.add('ann', `n${n}`, { filter: 'x'.repeat(10_000) });
    const sizes = await Promise.all([file, `${file}.1`].map(async (each) => (await stat(each)).size));
    for (const size of sizes) expect(size).toBeLessThanOrEqual(5000);
    expect((await readFile(file, 'utf8')).split('\n').at(-2)).toContain('"n59"');
    expect((await actionsOf(new AuditLog({ file, log: silentLog }))).slice(0, 2)).toEqual(['n59', 'n58']);
  });

  it('audit: without the right to write its file, the entries are in memory', async () => {
    const taken = join(folder, 'taken');
    await writeFile(taken, '');
    const log = new AuditLog({ file: join(taken, 'audit.jsonl'), log: silentLog });
    await log.add('ann', 'drop', {});
    expect(await actionsOf(log)).toEqual(['drop']);
  });
});
