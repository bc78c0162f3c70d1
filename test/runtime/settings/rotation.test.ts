import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { readSettings, SettingsReader } from '../../../runtime/settings/read.ts';
import { brokerSettings } from '../../../runtime/settings/sections.ts';
import { secretFile } from '../../support/rotation.ts';

const broker = { broker: brokerSettings };

/** Answers as AWS Systems Manager does (AWS JSON 1.1), with the value that is current, and counts the calls. */
async function withParameters<T>(
  use: (store: { url: string; value: string; calls: number }) => Promise<T>,
): Promise<T> {
  const store = { url: '', value: '', calls: 0 };
  const server = createServer((request, response) => {
    store.calls += 1;
    request.resume();
    response.end(JSON.stringify({ Parameters: [{ Name: '/warren/url', Value: store.value }] }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  store.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    return await use(store);
  } finally {
    server.close();
  }
}

describe('settings that change while a process runs', () => {
  it('settings: a file that <variable>_FILE names is read again each time, without its final line break', async () => {
    const file = await secretFile('amqp://u:first@host');
    const reader = new SettingsReader(broker, { AMQP_URL_FILE: file.path, AMQP_URL: '' });
    expect(await reader.read()).toEqual({ broker: { AMQP_URL: 'amqp://u:first@host' } });
    await file.write('amqp://u:second@host');
    expect(await reader.read()).toEqual({ broker: { AMQP_URL: 'amqp://u:second@host' } });
    await file.remove();
    await expect(reader.read()).rejects.toThrow(
      /AMQP_URL_FILE: expected a file that can be read, got ENOENT/,
    );
  });

  it('settings: a variable with both a value and a file is ERR_CONFIG, without the value', () => {
    const env = { AMQP_URL: 'amqp://u:s3cr3t@host', AMQP_URL_FILE: '/run/secrets/amqp-url' };
    expect(() => readSettings(broker, env)).toThrow('AMQP_URL: expected a value or AMQP_URL_FILE, got both');
    expect(() => readSettings(broker, env)).not.toThrow(/s3cr3t/);
  });

  it('settings: a secret in AWS is read again at once after the first reading, and then once a minute', async () => {
    await withParameters(async (store) => {
      let now = 0;
      const env = {
        AMQP_URL: 'ssm:/warren/url',
        AWS_REGION: 'eu-central-1',
        AWS_ACCESS_KEY_ID: 'key',
        AWS_SECRET_ACCESS_KEY: 'secret',
        AWS_ENDPOINT_URL: store.url,
      };
      const reader = new SettingsReader(broker, env, () => now);
      const read = async (value: string) => {
        store.value = `amqp://u:${value}@host`;
        return (await reader.read()).broker.AMQP_URL.slice('amqp://u:'.length, -'@host'.length);
      };
      expect([await read('a'), await read('b'), await read('c')]).toEqual(['a', 'b', 'b']);
      await Promise.all([reader.read(), reader.read()]);
      now = 59_999;
      expect(await read('d')).toBe('b');
      now = 60_000;
      expect(await read('e')).toBe('e');
      expect(store.calls).toBe(3);
    });
  });
});
