import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { basicAuthorization, managementApi, vhostInPath } from '../../../runtime/topology/management.ts';

describe('management API', () => {
  it.each([
    ['p%C3%A4ss', 'päss'],
    ['päss', 'päss'],
    ['100%', '100%'],
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
  ])('management API: the vhost of %s is %s in a path', (url, path) => {
    expect(vhostInPath(url)).toBe(path);
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
});
