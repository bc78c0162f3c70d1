import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { runWarren } from '../../support/warren-command.ts';

let folder: string;
const manifest = {
  service: 'parcels',
  custom: {
    warren: {
      contracts: 'contracts.mjs',
      exchanges: { parcels: { type: 'direct' } },
      queues: { send: { bindings: [{ exchange: 'parcels', routingKey: 'ordered' }] } },
    },
  },
  functions: { send: { handler: 'send.handler', events: [{ rabbitmq: { queue: 'send' } }] } },
};
const contracts = `
import { defineMessage } from 'warren/functions';
import { z } from 'zod';
export const parcelOrdered = defineMessage({
  name: 'parcel-ordered', exchange: 'parcels', key: 'ordered', schema: z.object({ to: z.string() }),
});`;

beforeAll(async () => {
  // Inside the project, so that the module finds its packages.
  await mkdir(projectFile('.data'), { recursive: true });
  folder = await mkdtemp(projectFile('.data/asyncapi-'));
  await writeFile(join(folder, 'contracts.mjs'), contracts);
  await writeFile(join(folder, 'package.json'), JSON.stringify({ version: '2.0.0' }));
  await writeFile(join(folder, 'warren.json'), JSON.stringify(manifest));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const asyncapi = (...args: string[]) =>
  runWarren(['asyncapi', '--manifest', join(folder, 'warren.json'), ...args], {});

describe('warren asyncapi', () => {
  it('prints the document of the contracts that custom.warren names, with the version of the package', async () => {
    const { code, out } = await asyncapi();
    expect(code).toBe(0);
    const document = JSON.parse(out);
    expect(document).toMatchObject({ asyncapi: '3.1.0', info: { title: 'parcels', version: '2.0.0' } });
    expect(Object.keys(document.operations)).toEqual(['receive.parcel-ordered.send', 'send.parcel-ordered']);
  });

  it('--html prints a page', async () => {
    const { code, out } = await asyncapi('--html');
    expect([code, out.slice(0, 15)]).toEqual([0, '<!doctype html>']);
  });

  it('--diff exits with 0 without a breaking change, and else with 1 and what broke for whom', async () => {
    const old = join(folder, 'old.json');
    const { out } = await asyncapi();
    await writeFile(old, out);
    expect(await asyncapi('--diff', old)).toMatchObject({ code: 0, out: 'no breaking change\n' });
    await writeFile(old, out.replace('"to": {', '"from": { "type": "string" }, "to": {'));
    expect(await asyncapi('--diff', old)).toEqual({
      code: 1,
      out: 'parcel-ordered: from: was removed (breaks consumers)\n1 breaking\n',
      err: '',
    });
  });

  it.each(['nowhere.json', 'warren.json'])(
    '--diff with %s, which is no such document, names the file',
    async (file) => {
      const { code, err } = await asyncapi('--diff', join(folder, file));
      expect([code, err]).toEqual([1, expect.stringContaining(`--diff: ${join(folder, file)}`)]);
    },
  );
});
