/** A server whose TLS fails is an unavailable dependency: its certificate or our settings will be corrected. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TlsOptions } from 'node:tls';
import { afterAll, expect, it } from 'vitest';
import { callWebhook } from '../../../shared/delivery/webhook.ts';
import { mailerOf } from '../../support/alerts.ts';
import { smtp, withFaultyServer } from '../../support/faults.ts';

const folder = mkdtempSync(join(tmpdir(), 'warren-tls-'));
afterAll(() => rmSync(folder, { recursive: true }));
const request = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -keyout key.pem -out cert.pem';
execFileSync('openssl', request.split(' '), { cwd: folder, stdio: 'pipe' });
const [key, cert] = ['key.pem', 'cert.pem'].map((name) => readFileSync(join(folder, name)));

const away = { code: 'ERR_UNAVAILABLE' };
const mail = { to: 'a@example.com', subject: 's', text: 't', html: '' };
const send = (port: number, scheme: string) => mailerOf(port, scheme).send(mail);
const call = (port: number) =>
  callWebhook(
    {
      url: `https://127.0.0.1:${port}/`,
      setting: 'URL',
      body: {},
      key: 'k',
      dependency: 'webhook',
      what: 'the webhook',
    },
    (reason) => new Error(reason),
  );

const withTls = async (options: TlsOptions, use: (port: number) => Promise<unknown>) => {
  const server = createServer({ key, cert, ...options } as TlsOptions, (socket) => socket.end());
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await use((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
};

it.each<[string, TlsOptions]>([
  ['no trusted certificate', {}],
  ['only a version of TLS that is not accepted', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' }],
])('tls: a mail server and a webhook with %s are unavailable', async (_what, options) => {
  await withTls(options, async (port) => {
    await expect(send(port, 'smtps')).rejects.toMatchObject(away);
    await expect(call(port)).rejects.toMatchObject(away);
  });
});

it('tls: a mail server and a webhook that speak no TLS on the port for it are unavailable', async () => {
  await withFaultyServer(smtp({}), async (port) => {
    await expect(send(port, 'smtps')).rejects.toMatchObject(away);
    await expect(call(port)).rejects.toMatchObject(away);
  });
});

it('tls: a mail server that offers STARTTLS and then refuses it is unavailable', async () => {
  const replies = { EHLO: '250-here\r\n250 STARTTLS', STARTTLS: '454 TLS not available' };
  await withFaultyServer(smtp(replies), async (port) => {
    await expect(send(port, 'smtp')).rejects.toMatchObject(away);
  });
});
