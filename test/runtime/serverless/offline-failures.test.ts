import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { freePort } from '../../../runtime/local/free-port.ts';
import { stack } from '../../support/stack.ts';
import { warrenEnvironment } from '../../support/warren-command.ts';
import { WorkerFolder } from '../../support/worker-process.ts';

const source = `
exports.fails = async () => { throw new Error('a secret of the function'); };
exports.late = () => new Promise((resolve) => setTimeout(resolve, 10_000, { statusCode: 204 }));
exports.works = async ({ version }) => ({ statusCode: 202, body: version });
`;

describe('serverless offline: a request whose function', () => {
  let folder: WorkerFolder;
  let output = '';
  let stop = async () => {};
  let url: string;

  beforeAll(async () => {
    folder = await WorkerFolder.make();
    const [httpPort, lambdaPort] = [await freePort(), await freePort()];
    url = `http://127.0.0.1:${httpPort}`;
    const route = (name: string, more = {}) => ({
      handler: `functions.${name}`,
      events: [{ httpApi: `GET /${name}` }],
      ...more,
    });
    const yml = {
      service: 'failures',
      provider: { name: 'aws', runtime: 'nodejs20.x' },
      plugins: ['warren', 'serverless-offline'],
      custom: { 'serverless-offline': { httpPort, lambdaPort } },
      functions: { fails: route('fails'), late: route('late', { timeout: 1 }), works: route('works') },
    };
    await folder.write('functions.cjs', source);
    // JSON is YAML.
    await folder.write('serverless.yml', JSON.stringify(yml));
    const cli = projectFile('node_modules/serverless/bin/serverless.js');
    const env = { ...warrenEnvironment({}), ...stack, SLS_TELEMETRY_DISABLED: '1' };
    const child = spawn(process.execPath, [cli, 'offline', 'start', '--noSponsor'], {
      cwd: folder.path,
      env,
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => {
        output += String(data);
      });
    const ended = new Promise((resolve) => child.once('close', resolve));
    stop = async () => {
      child.kill('SIGTERM');
      await ended;
    };
    await vi.waitFor(() => fetch(`${url}/works`), { timeout: 60_000, interval: 200 });
  }, 90_000);
  afterAll(async () => {
    await stop();
    await folder.remove();
  });

  it.each([
    ['fails', 500, 'Internal Server Error'],
    ['late', 504, 'No answer in time'],
  ])('%s is answered with %i, and its error is printed here', async (name, status, title) => {
    const response = await fetch(`${url}/${name}`);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toMatch('application/problem+json');
    expect(await response.json()).toEqual({ type: 'about:blank', title, status });
    await expect.poll(() => output).toMatch(new RegExp(`function ${name}: .*Error: `));
  });

  it('works is answered as before', async () => {
    const response = await fetch(`${url}/works`);
    expect([response.status, await response.text()]).toEqual([202, '2.0']);
  });
});
