import { describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../shared/rabbitmq/connection.ts';
import { stack } from '../stack.ts';

describe('the stack', () => {
  it('lets a program in with the addresses it gives', async () => {
    const connection = new BrokerConnection({ url: stack.AMQP_URL, name: 'test of the stack' });
    const channel = await connection.channel();
    await expect(channel.checkExchange('alerts')).resolves.toBeDefined();
    await connection.close();
  });
});
