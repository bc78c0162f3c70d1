import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../../../runtime/local/free-port.ts';
import { startOffline } from '../../support/offline.ts';
import { WorkerFolder } from '../../support/worker-process.ts';

const source = `
exports.fails = async () => { throw new Error('a secret of the function'); };
exports.late = () => new Promise((resolve) => setTimeout(resolve, 10_000, { statusCode: 204 }));
exports.works = async ({ version }) => ({ statusCode: 202, body: version });
`;

describe('serverless offline: a request whose function', () => {
  let folder: WorkerFolder;
  let offline: Awaited<ReturnType<typeof startOffline>>;
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
    offline = await startOffline(folder, yml);
    await vi.waitFor(() => fetch(`${url}/works`), { timeout: 60_000, interval: 200 });
  }, 90_000);
  afterAll(async () => {
    await offline?.stop();
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
    await expect.poll(() => offline.output()).toMatch(new RegExp(`function ${name}: .*Error: `));
  });

  it('works is answered as before', async () => {
    const response = await fetch(`${url}/works`);
    expect([response.status, await response.text()]).toEqual([202, '2.0']);
  });
});
