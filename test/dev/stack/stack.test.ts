import { describe, expect, it } from 'vitest';
import { dataFolderOf, findBrokerProgram } from '../../../dev/stack/broker-install.ts';
import { StackError } from '../../../dev/stack/stack-error.ts';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
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

  it('reports what is wrong with the configured RabbitMQ', async () => {
    const missing = findBrokerProgram(() => undefined, { WARREN_RABBITMQ: '/nowhere/rabbitmq-server' });
    await expect(missing).rejects.toThrow(/^WARREN_RABBITMQ: expected the path of a rabbitmq-server/);
    await expect(dataFolderOf('/nowhere/rabbitmq-server')).rejects.toThrow(StackError);
  });
});
