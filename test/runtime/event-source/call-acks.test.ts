import type { Channel, ConsumeMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BrokerConnection } from '../../../runtime/amqp/connection.ts';
import { Acknowledger } from '../../../runtime/event-source/acknowledger.ts';
import { CallAcks } from '../../../runtime/event-source/call-acks.ts';
import { openBroker, type TestBroker, unique } from '../../support/broker.ts';
import { stack } from '../../support/stack.ts';

describe('acknowledgements of calls', () => {
  let broker: TestBroker;
  let connection: BrokerConnection;
  beforeAll(async () => {
    broker = await openBroker();
    connection = new BrokerConnection({ url: stack.AMQP_URL, name: unique('call-acks') });
  });
  afterAll(async () => {
    await Promise.all([broker.close(), connection.close()]);
  });

  /** Consumes four calls, and takes note of the acknowledgements that go to the broker: which call, and whether older ones too. */
  const consume = async () => {
    const queue = await broker.queue();
    for (const n of [1, 2, 3, 4]) await broker.send(queue, n);
    const channel = await connection.channel();
    const deliveries: ConsumeMessage[] = [];
    await channel.consume(queue, (delivery) => void (delivery && deliveries.push(delivery)));
    await expect.poll(() => deliveries.length).toBe(4);
    const sent: [number, boolean][] = [];
    const ack: Channel['ack'] = (delivery, older = false) => {
      sent.push([delivery.fields.deliveryTag, older]);
      channel.ack(delivery, older);
    };
    const methods = { ack, nack: channel.nack.bind(channel), reject: channel.reject.bind(channel) };
    const acks = new CallAcks(new Acknowledger(methods, { mapping: { queue }, connection }));
    const open = deliveries.map((delivery) => acks.add(delivery));
    /** Text of the only call that the broker still has, after the channel has closed. */
    const left = async () => {
      await channel.close();
      await expect.poll(() => broker.count(queue)).toBe(1);
      return (await broker.take(queue)).content.toString();
    };
    return { open, acks, sent, left };
  };

  it('the oldest calls that end in one turn are one acknowledgement, however they are ordered', async () => {
    const { open, sent, left } = await consume();
    for (const index of [2, 0, 1]) open[index]?.done();
    await new Promise(setImmediate);
    expect(sent).toEqual([[3, true]]);
    expect(await left()).toBe('4');
  });

  it('a call that is open keeps its delivery, and the calls behind it are acknowledged each on its own', async () => {
    const { open, sent, left } = await consume();
    for (const index of [0, 2, 3]) open[index]?.done();
    await new Promise(setImmediate);
    expect(sent).toEqual([
      [1, false],
      [3, false],
      [4, false],
    ]);
    expect(await left()).toBe('2');
  });

  it('a call that was acknowledged at once holds up no older one, and is acknowledged once', async () => {
    const { open, acks, sent, left } = await consume();
    open[1]?.now();
    open[0]?.done();
    open[2]?.done();
    acks.flush();
    expect(sent).toEqual([
      [2, false],
      [3, true],
    ]);
    expect(await left()).toBe('4');
  });
});
