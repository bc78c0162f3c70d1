import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { isFree, onFreePorts } from '../../../runtime/local/free-port.ts';

describe('free ports', () => {
  const servers: Server[] = [];
  afterEach(() => Promise.all(servers.splice(0).map((server) => new Promise((done) => server.close(done)))));

  const listen = async (port: number) => {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host: '127.0.0.1' }, resolve);
    });
    servers.push(server);
  };

  it('free ports: a start starts again on other ports if another program has taken one meanwhile', async () => {
    const tried: number[] = [];
    const started = await onFreePorts(['first', 'second'], async ({ first, second }) => {
      tried.push(second);
      // Another program is faster once.
      if (tried.length === 1) await listen(second);
      await listen(second);
      return { first, second };
    });
    expect(tried).toHaveLength(2);
    expect(started.second).toBe(tried[1]);
    expect(new Set([...tried, started.first]).size).toBe(3);
  });

  it('free ports: a start that fails for another reason is not repeated', async () => {
    let tries = 0;
    const start = onFreePorts(['only'], async ({ only }) => {
      tries += 1;
      expect(await isFree(only)).toBe(true);
      throw new Error('another reason');
    });
    await expect(start).rejects.toThrow('another reason');
    expect(tries).toBe(1);
  });
});
