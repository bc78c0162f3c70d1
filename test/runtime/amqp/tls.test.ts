import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';
import { freePort } from '../../../runtime/local/free-port.ts';
import { managementApi } from '../../../runtime/topology/management.ts';

let folder: string;
let broker: PrivateBroker;
let managementPort: number;
const file = (name: string) => join(folder, name);
/** Runs `openssl` with arguments that contain no spaces. */
const openssl = (args: string) => execFileSync('openssl', args.split(' '), { cwd: folder, stdio: 'pipe' });

const authority = (name: string) =>
  openssl(`req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=${name} -keyout ${name}.key -out ${name}.pem`);

const certificate = async (name: string, extension: string) => {
  openssl(`req -newkey rsa:2048 -nodes -subj /CN=${name} -keyout ${name}.key -out ${name}.csr`);
  openssl(`pkcs8 -topk8 -in ${name}.key -passout pass:s3cr3t -out ${name}.locked`);
  await writeFile(file(`${name}.ext`), extension);
  const ca = '-CA ca.pem -CAkey ca.key -CAcreateserial';
  openssl(`x509 -req -days 2 -in ${name}.csr ${ca} -extfile ${name}.ext -out ${name}.pem`);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-tls-'));
  authority('ca');
  authority('other');
  await certificate('server', 'subjectAltName=IP:127.0.0.1,IP:::1\nextendedKeyUsage=serverAuth\n');
  await certificate('client', 'extendedKeyUsage=clientAuth\n');
  const files = (listener: string) => [
    `${listener}.cacertfile = ${file('ca.pem')}`,
    `${listener}.certfile = ${file('server.pem')}`,
    `${listener}.keyfile = ${file('server.key')}`,
    `${listener}.verify = verify_peer`,
    `${listener}.fail_if_no_peer_cert = true`,
  ];
  managementPort = await freePort();
  broker = await privateBroker(
    (port) => [
      `listeners.ssl.default = 127.0.0.1:${port}`,
      `listeners.ssl.six = ::1:${port}`,
      ...files('ssl_options'),
      `management.ssl.port = ${managementPort}`,
      'management.ssl.ip = ::',
      ...files('management.ssl'),
      'ssl_cert_login_from = common_name',
      ...['PLAIN', 'AMQPLAIN', 'EXTERNAL'].map((name, n) => `auth_mechanisms.${n + 1} = ${name}`),
    ],
    '',
    undefined,
    ['rabbitmq_management', 'rabbitmq_auth_mechanism_ssl'],
  );
  await broker.control('add_user', 'client', 'no-password-is-sent');
  await broker.control('set_permissions', 'client', '.*', '.*', '.*');
  // RabbitMQ opens its TLS port a moment after the plain one.
  await vi.waitFor(() => opening(whole), { timeout: 30_000, interval: 100 });
});
afterAll(async () => {
  await broker.close();
  await rm(folder, { recursive: true, force: true });
});

/** The broker's TLS address with the files of a client, and further parameters. */
const url = (files: Record<string, string>, more: Record<string, string> = {}) => {
  const query = new URLSearchParams(more);
  for (const [parameter, name] of Object.entries(files)) query.set(parameter, file(name));
  return `amqps://warren:secret@127.0.0.1:${broker.tlsPort}?${query}`;
};
const whole = { cacertfile: 'ca.pem', certfile: 'client.pem', keyfile: 'client.key' };

const opening = async (files: Record<string, string>, more: Record<string, string> = {}) => {
  const connection = new BrokerConnection({ url: url(files, more), name: 'tls test' });
  try {
    return await connection.channel().then(() => 'open');
  } finally {
    await connection.close();
  }
};

describe('TLS broker that requires a client certificate', () => {
  it('tls: a client with a certificate connects and publishes', async () => {
    expect(await opening(whole)).toBe('open');
    const publisher = new Publisher({ url: url(whole), name: 'tls test' });
    const message = { exchange: 'amq.fanout', routingKey: '', body: 1, mandatory: false };
    await expect(publisher.publish(message)).resolves.toHaveProperty('messageId');
    await publisher.close();
  });

  it('tls: a client without a certificate gets an UnavailableError', async () => {
    await expect(opening({ cacertfile: 'ca.pem' })).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
      message: `the broker at 127.0.0.1:${broker.tlsPort} can't be reached`,
    });
  });

  it('tls: a broker with a certificate of another authority is not trusted', async () => {
    await expect(opening({ ...whole, cacertfile: 'other.pem' })).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
      cause: { code: expect.stringMatching(/CERT|SIGNATURE/) },
    });
  });

  it('tls: a missing virtual host is refused, also for a login by certificate', async () => {
    const target = url(whole, { auth_mechanism: 'external' }).replace('?', '/none?');
    const connection = new BrokerConnection({ url: target, name: 'tls test' });
    await expect(connection.channel()).rejects.toMatchObject({
      code: 'ERR_BROKER_REFUSED',
      message: expect.stringContaining('refused the virtual host'),
    });
    await connection.close();
  });

  it('tls: an IPv6 address is written in brackets', async () => {
    const connection = new BrokerConnection({ url: url(whole).replace('127.0.0.1', '[::1]'), name: 'IPv6' });
    await connection.channel();
    expect(connection.address.label).toBe(`[::1]:${broker.tlsPort}`);
    await connection.close();
  });

  it('tls: verify_none trusts any certificate, and fail_if_no_peer_cert changes nothing', async () => {
    const more = { verify: 'verify_none', fail_if_no_peer_cert: 'true' };
    expect(await opening({ ...whole, cacertfile: 'other.pem' }, more)).toBe('open');
  });

  it('tls: server_name_indication is the name that the certificate must have', async () => {
    await expect(opening(whole, { server_name_indication: 'another.example' })).rejects.toMatchObject({
      cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    });
  });

  it('tls: the key may have a passphrase', async () => {
    const locked = { ...whole, keyfile: 'client.locked' };
    expect(await opening(locked, { password: 's3cr3t' })).toBe('open');
    await expect(opening(locked, { password: 'wrong' })).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringContaining('cacertfile, certfile, keyfile, password: expected files in PEM'),
    });
  });

  it.each([
    ['external', 'client EXTERNAL'],
    ['amqplain', 'warren AMQPLAIN'],
    ['PLAIN', 'warren PLAIN'],
  ])('tls: a client logs in by the mechanism %s', async (mechanism, login) => {
    const target = url(whole, { auth_mechanism: mechanism });
    const connection = new BrokerConnection({ url: target, name: 'tls test' });
    await connection.channel();
    const logins = async () =>
      (await broker.control('list_connections', '--silent', 'user', 'auth_mechanism')).replaceAll('\t', ' ');
    await expect.poll(logins, { timeout: 10_000, interval: 500 }).toContain(login);
    await connection.close();
  });

  it('tls: the management API takes the same parameters', async () => {
    const query = new URL(url(whole)).search;
    const vhost = z.object({ name: z.string() });
    for (const host of ['127.0.0.1', '[::1]']) {
      const api = managementApi(`https://warren:secret@${host}:${managementPort}/${query}`, 10_000);
      const answered = () => api.get('vhosts/%2F', vhost);
      expect(await vi.waitFor(answered, { timeout: 30_000, interval: 200 })).toEqual({ name: '/' });
    }
    const distrusted = new URL(url({ ...whole, cacertfile: 'other.pem' })).search;
    const other = managementApi(`https://warren:secret@127.0.0.1:${managementPort}/${distrusted}`, 10_000);
    await expect(other.get('vhosts/%2F', vhost)).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE' });
  });

  it.each(['cacertfile', 'certfile', 'keyfile'])(
    'tls: the error names the missing file: %s',
    async (parameter) => {
      await expect(opening({ ...whole, [parameter]: 'nowhere.pem' })).rejects.toMatchObject({
        code: 'ERR_CONFIG',
        message: `the URL of the broker: ${parameter}: expected a file in PEM, got ENOENT`,
      });
    },
  );
});
