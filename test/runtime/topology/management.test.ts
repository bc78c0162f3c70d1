import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { parseManagementUrl } from '../../../runtime/amqp/management-url.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { managementSettings } from '../../../runtime/settings/sections.ts';
import { basicAuthorization, managementApi, vhostInPath } from '../../../runtime/topology/management.ts';

describe('management API', () => {
  it.each([
    ['p%C3%A4ss', 'päss'],
    ['päss', 'päss'],
    ['100%', '100%'],
    ['100%ä%2F', '100%ä/'],
  ])('management API: the password %s is sent as %s', (written, password) => {
    const header = basicAuthorization(`http://u:${written}@host:15672`);
    expect(Buffer.from(header.replace('Basic ', ''), 'base64').toString()).toBe(`u:${password}`);
  });

  it.each([
    ['amqp://host', '%2F'],
    ['amqp://host//', '%2F'],
    ['amqp://host/%2f', '%2F'],
    ['amqp://host/ä', '%C3%A4'],
    ['amqp://host/a%2Fb', 'a%2Fb'],
    ['amqp://host/orders/', 'orders'],
    ['amqp:///orders', 'orders'],
    ['amqp://[::1]/..', '..'],
  ])('management API: the vhost of %s is %s in a path', (url, path) => {
    expect(vhostInPath(url)).toBe(path);
  });

  it.each([
    ['http://host:15672', 'host 15672 /api guest'],
    ['http://u:p@[::1]:15672/', '::1 15672 /api u'],
    ['https://u:p@host/api/', 'host 443 /api u'],
    ['https://u:p@host/rabbit//', 'host 443 /rabbit/api u'],
  ])('management API: the address of %s is %s', (url, expected) => {
    const { host, port, path, username } = parseManagementUrl(url);
    expect([host, port, path, username].join(' ')).toBe(expected);
  });

  it.each([
    ['http://host?cacertfile=/a.pem', 'parameter cacertfile: expected a URL with TLS'],
    ['https://host?heartbeat=5', 'got "heartbeat"'],
    ['amqp://host', 'got one that begins with amqp:'],
    ['http://u:p@host/#x', 'got a # that is not written %23'],
  ])('management API: %s is refused with its reason', (url, problem) => {
    expect(() => managementApi(url, 1000)).toThrow(problem);
    const env = { AMQP_MANAGEMENT_URL: url };
    expect(() => readSettings({ management: managementSettings }, env)).toThrow(problem);
  });

  it('management API: an invalid URL is ERR_CONFIG without its password', () => {
    expect.assertions(2);
    try {
      managementApi('http://u:s3cr3t@host:port', 1000);
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_CONFIG' });
      expect(inspect(error, { depth: null })).not.toContain('s3cr3t');
    }
  });

  /** A server that ends a connection at the request with this number, without an answer, and answers all others. */
  const ending = async (
    number: number,
    use: (url: string, requests: Map<Socket, number>) => Promise<void>,
  ) => {
    const requests = new Map<Socket, number>();
    const server = createServer((request, response) => {
      const count = (requests.get(request.socket) ?? 0) + 1;
      requests.set(request.socket, count);
      if (count === number) request.socket.destroy();
      else response.end('{"name":"a"}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      await use(`http://u:p@127.0.0.1:${(server.address() as AddressInfo).port}`, requests);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  };

  it('management API: a request that meets the end of a kept connection is sent again on another one', async () => {
    await ending(2, async (url, requests) => {
      const api = managementApi(url, 10_000);
      for (let times = 0; times < 2; times += 1) {
        expect(await api.get('x', z.object({ name: z.string() }))).toEqual({ name: 'a' });
        await api.put('x', { name: 'a' });
      }
      // Four requests, of which each second one on a kept connection was sent twice.
      expect([...requests.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(4);
    });
  });

  it('management API: a connection that ends at its first request is reported, and the request is not sent again', async () => {
    await ending(1, async (url, requests) => {
      await expect(managementApi(url, 10_000).delete('x')).rejects.toMatchObject({
        code: 'ERR_UNAVAILABLE',
        cause: { code: 'ECONNRESET' },
      });
      expect([...requests.values()]).toEqual([1]);
    });
  });
});
