import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { Publisher } from '../../../runtime/amqp/publisher.ts';

let folder: string;
let broker: PrivateBroker;
const file = (name: string) => join(folder, name);
/** Runs `openssl` with arguments that contain no spaces. */
const openssl = (args: string) => execFileSync('openssl', args.split(' '), { cwd: folder, stdio: 'pipe' });

const authority = (name: string) =>
  openssl(`req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=${name} -keyout ${name}.key -out ${name}.pem`);

const certificate = async (name: string, extension: string) => {
  openssl(`req -newkey rsa:2048 -nodes -subj /CN=${name} -keyout ${name}.key -out ${name}.csr`);
  await writeFile(file(`${name}.ext`), extension);
  const ca = '-CA ca.pem -CAkey ca.key -CAcreateserial';
  openssl(`x509 -req -days 2 -in ${name}.csr ${ca} -extfile ${name}.ext -out ${name}.pem`);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-tls-'));
  authority('ca');
  authority('other');
  await certificate('server', 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n');
  await certificate('client', 'extendedKeyUsage=clientAuth\n');
  broker = await privateBroker((port) => [
    `listeners.ssl.default = 127.0.0.1:${port}`,
    `ssl_options.cacertfile = ${file('ca.pem')}`,
    `ssl_options.certfile = ${file('server.pem')}`,
    `ssl_options.keyfile = ${file('server.key')}`,
    'ssl_options.verify = verify_peer',
    'ssl_options.fail_if_no_peer_cert = true',
  ]);
  // RabbitMQ opens its TLS port a moment after the plain one.
  await vi.waitFor(() => opening(whole), { timeout: 30_000, interval: 100 });
});
afterAll(async () => {
  await broker.close();
  await rm(folder, { recursive: true, force: true });
});

/** The broker's TLS address with the files of a client. */
const url = (files: Record<string, string>) => {
  const target = new URL(broker.url);
  target.protocol = 'amqps:';
  target.port = String(broker.tlsPort);
  for (const [parameter, name] of Object.entries(files)) target.searchParams.set(parameter, file(name));
  return target.href;
};
const whole = { cacertfile: 'ca.pem', certfile: 'client.pem', keyfile: 'client.key' };

const opening = async (files: Record<string, string>) => {
  const connection = new BrokerConnection({ url: url(files), name: 'tls test' });
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
