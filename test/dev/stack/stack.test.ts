import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { dataFolderOf, findBrokerProgram } from '../../../runtime/local/broker-install.ts';
import { StackError } from '../../../runtime/local/stack-error.ts';
import { stack } from '../../support/stack.ts';

describe('the stack', () => {
  it('lets a program in with the addresses it gives', async () => {
    const connection = new BrokerConnection({ url: stack.AMQP_URL, name: 'test of the stack' });
    const channel = await connection.channel();
    await expect(channel.checkExchange('alerts')).resolves.toBeDefined();
    await connection.close();
  });

  it('keeps the data of each major version of RabbitMQ apart', async () => {
    const { command } = await findBrokerProgram(() => undefined);
    const connection = new BrokerConnection({ url: stack.AMQP_URL, name: 'test of the stack' });
    const { serverProperties } = (await connection.channel()).connection as unknown as {
      serverProperties: { version: string };
    };
    await connection.close();
    const [major] = serverProperties.version.split('.');
    expect(await dataFolderOf(command)).toBe(major === '3' ? 'mnesia' : `mnesia-${major}`);
  });

  it('reads the version of RabbitMQ from its installed files, else from rabbitmqctl', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'warren-version-'));
    const program = join(folder, 'sbin', 'rabbitmq-server');
    await mkdir(join(folder, 'sbin'));
    await writeFile(program, '');
    await writeFile(join(folder, 'sbin', 'rabbitmqctl'), '#!/bin/sh\necho 3.10.8\n', { mode: 0o755 });
    expect(await dataFolderOf(program)).toBe('mnesia');
    await mkdir(join(folder, 'plugins', 'rabbit-4.0.50'), { recursive: true });
    await mkdir(join(folder, 'plugins', 'rabbit_common-4.0.50'));
    expect(await dataFolderOf(program)).toBe('mnesia-4');
    // As Debian links it.
    await symlink(program, join(folder, 'rabbitmq-server'));
    expect(await dataFolderOf(join(folder, 'rabbitmq-server'))).toBe('mnesia-4');
    await rm(folder, { recursive: true });
  });

  it('reports what is wrong with the configured RabbitMQ', async () => {
    const missing = findBrokerProgram(() => undefined, { WARREN_RABBITMQ: '/nowhere/rabbitmq-server' });
    await expect(missing).rejects.toThrow(/^WARREN_RABBITMQ: expected the path of a rabbitmq-server/);
    await expect(dataFolderOf('/nowhere/rabbitmq-server')).rejects.toThrow(StackError);
  });
});
