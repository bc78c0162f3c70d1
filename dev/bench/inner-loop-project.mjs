import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { projectFile } from '../stack/project.ts';
import { copyProject, portVariables } from '../stack/project-copy.ts';

/** The service of the contestant without Warren. */
export const peerFile = 'serverless.peer.yml';

/** Starts a program in a process group of its own. `end` interrupts it as Ctrl-C does, and waits. */
export function begin(command, args, { cwd, env = process.env }) {
  const child = spawn(command, args, { cwd, env, stdio: 'ignore', detached: true });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    hasEnded,
    async end() {
      if (!hasEnded()) process.kill(-child.pid, 'SIGINT');
      const hard = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), 30_000);
      await ended;
      clearTimeout(hard);
    },
  };
}

/** Copies this project, because the measurement changes its files. */
export async function benchProject() {
  const folder = await copyProject();
  const packages = join(folder, 'node_modules');
  await symlink(
    projectFile('dev/bench/node_modules/serverless-offline-sqs'),
    join(packages, 'serverless-offline-sqs'),
  );
  const page = 'functions/page/show.ts';
  // The loader for TypeScript keeps what it has compiled in the folder for temporary files.
  const temporary = join(folder, '.tmp');
  const env = { ...process.env, TMPDIR: temporary };
  return {
    folder,
    page: await readFile(projectFile(page), 'utf8'),
    writePage: (text) => writeFile(join(folder, page), text),
    writePeer: async (endpoint) => writeFile(join(folder, peerFile), await peerService(endpoint)),
    /** Removes what a start has written. */
    async forget() {
      for (const each of ['.data', '.esbuild', '.warren', '.tmp'])
        await rm(join(folder, each), { recursive: true, force: true });
      await mkdir(temporary);
    },
    start(args, ports) {
      return begin(process.execPath, ['dev/warren.mjs', ...args], {
        cwd: folder,
        env: { ...env, ...portVariables(ports) },
      });
    },
  };
}

/** serverless.yml with events of SQS in place of those of RabbitMQ, and without the plugins of this project. */
async function peerService(endpoint) {
  const service = parse(await readFile(projectFile('serverless.yml'), 'utf8'), { merge: true });
  const { warren, deploy, ...custom } = service.custom;
  const { watch, ...esbuild } = custom.esbuild;
  const sqs = {
    autoCreate: true,
    apiVersion: '2012-11-05',
    endpoint,
    region: 'us-east-1',
    accessKeyId: 'test',
    secretAccessKey: 'test',
  };
  for (const each of Object.values(service.functions)) {
    delete each.bucket;
    each.events = (each.events ?? []).map((event) =>
      event.rabbitmq
        ? {
            sqs: {
              arn: `arn:aws:sqs:us-east-1:000000000000:${event.rabbitmq.queue.replaceAll('.', '-')}`,
              batchSize: 10,
            },
          }
        : event,
    );
  }
  const { resources, ...rest } = service;
  return stringify({
    ...rest,
    plugins: ['serverless-esbuild', 'serverless-offline-sqs', 'serverless-offline'],
    custom: { ...custom, esbuild, 'serverless-offline-sqs': sqs },
  });
}
