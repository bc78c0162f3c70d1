import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Table from 'cli-table3';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { bundleOf } from '../support/deploy/bundles.ts';
import {
  type FunctionSection,
  readService,
  readTemplate,
  resourcesOf,
} from '../support/deploy/serverless.ts';
import { variablesOfHandler } from '../support/resources.ts';

const { amazonMq, adapter } = inject('packages');
const service = await readService();
const functions = Object.entries(service.functions);
const megabyte = 1_000_000;
/** What Lambda takes, unzipped. */
const mostUnzipped = 250 * 1024 * 1024;

const table = new Table({
  head: ['function', 'artifact, kB', 'limit, kB'],
  colAligns: ['left', 'right', 'right'],
});

afterAll(() => console.log(String(table)));

const withSharp = ['resize-picture', 'describe-picture', 'upload-picture', 'complete-upload'];

/** The packages that weigh something, and which functions need them. */
const needs: Record<
  string,
  (about: { section: FunctionSection; key: string; reads: Set<string> }) => boolean
> = {
  amqplib: ({ reads }) => reads.has('AMQP_URL'),
  pg: ({ reads }) => reads.has('DATABASE_URL'),
  kysely: ({ reads }) => reads.has('DATABASE_URL'),
  '@aws-sdk/client-s3': ({ reads }) => reads.has('S3_BUCKET'),
  '@aws-sdk/client-lambda': ({ reads }) => reads.has('LAMBDA_URL'),
  nodemailer: ({ reads }) => reads.has('SMTP_URL'),
  jose: ({ reads }) => reads.has('AUTH_JWT_SECRET') || reads.has('UNSUBSCRIBE_SECRET'),
  yaml: ({ section }) => section.package?.patterns.includes('serverless.yml') ?? false,
  sharp: ({ key }) => withSharp.includes(key),
  'file-type': ({ key }) => withSharp.includes(key),
  thumbhash: ({ key }) => key === 'resize-picture',
  '@fastify/busboy': ({ key }) => key === 'upload-picture',
};

/** What only the tools around the functions need. */
const never = ['commander', 'string-width', 'prom-client', 'picocolors', 'maildev', 's3rver', 'esbuild'];

describe.each(functions)('the bundle of %s', (key, section) => {
  it('holds the packages that the function needs, and none of the others', async () => {
    const { packages } = await bundleOf(section.handler);
    const reads = await variablesOfHandler(section.handler);
    const heavy = Object.keys(needs).filter((name) => packages.includes(name));
    expect(heavy).toEqual(Object.keys(needs).filter((name) => needs[name]?.({ section, key, reads })));
    expect(packages.filter((name) => never.includes(name))).toEqual([]);
  });

  it('is in its artifact, which is as small as it has to be', async () => {
    // Only with the adapter is the long poll deployed.
    const zip = artifact(key === 'poll-queues' ? adapter.folder : amazonMq.folder, key);
    const { size } = await stat(zip);
    // sharp is 10 MB, most of it libvips.
    const limit = withSharp.includes(key) ? 12 * megabyte : megabyte;
    table.push([key, Math.round(size / 1000), limit / 1000]);
    expect(size).toBeLessThan(limit);
    const folder = await unzip(zip);
    const file = join(folder, section.handler.replace(/\.handler$/, '.mjs'));
    expect(await readFile(file, 'utf8')).toBe((await bundleOf(section.handler)).code);
  });
});

describe.each([
  ['arm64', amazonMq.folder],
  ['x64', adapter.folder],
] as const)('native code for %s', (cpu, folder) => {
  it.each(withSharp)('is all that the artifact of %s holds, and fits', async (key) => {
    const unzipped = await unzip(artifact(folder, key));
    const images = await readdir(join(unzipped, 'node_modules', '@img'));
    expect(images.sort()).toEqual(['colour', `sharp-libvips-linux-${cpu}`, `sharp-linux-${cpu}`]);
    const files = await readdir(unzipped, { recursive: true });
    const native = files.filter((file) => /\.(node|so)(\.|$)/.test(file));
    // ELF's e_machine: 183 is AArch64, 62 x86-64.
    for (const file of native) {
      const header = await readFile(join(unzipped, file));
      expect(header.readUInt16LE(18), file).toBe(cpu === 'arm64' ? 183 : 62);
    }
    expect(native.length).toBeGreaterThan(1);
    let bytes = 0;
    for (const file of files) bytes += (await stat(join(unzipped, file))).size;
    expect(bytes).toBeLessThan(mostUnzipped);
  });

  it('is in no other artifact', async () => {
    for (const [key] of functions) {
      if (withSharp.includes(key) || (key === 'poll-queues' && cpu === 'arm64')) continue;
      const files = await readdir(await unzip(artifact(folder, key)), { recursive: true });
      expect(
        files.filter((file) => file.includes('node_modules')),
        key,
      ).toEqual([]);
    }
  });

  it('runs on the architecture of the template', async () => {
    const template = await readTemplate(folder);
    for (const [id, { Properties }] of resourcesOf(template, 'AWS::Lambda::Function')) {
      expect(Properties['Architectures'], id).toEqual([cpu === 'arm64' ? 'arm64' : 'x86_64']);
    }
  });
});

const artifact = (folder: string, key: string) => join(folder, `${key}.zip`);

async function unzip(file: string): Promise<string> {
  const folder = await mkdtemp(`${file}-`);
  await promisify(execFile)(inject('python'), ['-m', 'zipfile', '-e', file, folder]);
  return folder;
}
