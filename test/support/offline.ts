import { spawn } from 'node:child_process';
import { projectFile } from '../../dev/stack/project.ts';
import { stack } from './stack.ts';
import { warrenEnvironment } from './warren-command.ts';
import type { WorkerFolder } from './worker-process.ts';

/** Writes serverless.yml into a folder, and runs `serverless offline start` there. */
export async function startOffline(folder: WorkerFolder, yml: object) {
  // JSON is YAML.
  await folder.write('serverless.yml', JSON.stringify(yml));
  const cli = projectFile('node_modules/serverless/bin/serverless.js');
  const env = { ...warrenEnvironment({}), ...stack, SLS_TELEMETRY_DISABLED: '1' };
  const child = spawn(process.execPath, [cli, 'offline', 'start', '--noSponsor'], { cwd: folder.path, env });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      output += String(data);
    });
  const ended = new Promise((resolve) => child.once('close', resolve));
  return {
    /** All that it has printed. */
    output: () => output,
    async stop(): Promise<void> {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
