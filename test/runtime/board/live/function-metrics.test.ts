import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { FunctionMetrics } from '../../../../runtime/board/live/function-metrics.ts';

describe('the metrics of workers', () => {
  it('metrics: the login of a URL is sent to the worker, and is not in the problem that users see', async () => {
    const logins: (string | undefined)[] = [];
    const worker = createServer(({ headers }, response) => {
      logins.push(headers.authorization);
      response.writeHead(500).end();
    });
    worker.listen(0, '127.0.0.1');
    await once(worker, 'listening');
    const { port } = worker.address() as AddressInfo;
    const { problems } = await new FunctionMetrics([
      `http://ann:s%C3%A9cret@127.0.0.1:${port}/metrics`,
    ]).read();
    worker.close();
    expect(logins).toEqual([`Basic ${Buffer.from('ann:sécret').toString('base64')}`]);
    expect(problems).toEqual([`127.0.0.1:${port}: expected status 200, got 500`]);
  });

  it.each(['worker', 'worker:9464/metrics', 'ftp://ann:secret@worker/metrics'])(
    'metrics: the board does not start with %s, which is no URL of metrics, and the error does not contain it',
    (url) => {
      const error = expect.objectContaining({
        code: 'ERR_CONFIG',
        message: expect.not.stringContaining('secret') as string,
      }) as Error;
      expect(() => new FunctionMetrics([url])).toThrow(error);
    },
  );
});
