import { describe, expect, it } from 'vitest';
import type { BrokerQueue } from '../../../../runtime/board/live/broker-queues.ts';
import { QueueRates } from '../../../../runtime/board/live/queue-rates.ts';

const queue = (given: Partial<BrokerQueue>): BrokerQueue => ({
  name: 'shop',
  waiting: 0,
  inFlight: 0,
  consumers: 1,
  oldestAt: null,
  expired: 0,
  delayed: 0,
  totals: null,
  rateIn: null,
  rateOut: null,
  ...given,
});
const ratesOf = ([found]: BrokerQueue[]) => [found?.rateIn, found?.rateOut];

describe('QueueRates', () => {
  it('rates: those that the broker reports stay', () => {
    const rates = new QueueRates();
    const reported = queue({ rateIn: 3, rateOut: 4, totals: { in: 100, out: 90 } });
    expect(ratesOf(rates.add([reported], 0))).toEqual([3, 4]);
    expect(ratesOf(rates.add([reported], 5000))).toEqual([3, 4]);
  });

  it('rates: a busy broker that reports 0 while its totals grow has the rates of their growth', () => {
    const rates = new QueueRates();
    rates.add([queue({ rateIn: 0, rateOut: 0, totals: { in: 100, out: 90 } })], 0);
    const later = rates.add([queue({ rateIn: 0, rateOut: 2, totals: { in: 150, out: 90 } })], 10_000);
    expect(ratesOf(later)).toEqual([5, 2]);
  });

  it('rates: a broker that reports totals only has the rates of their growth, also after it has started again', () => {
    const rates = new QueueRates();
    const at = (ms: number, came: number, went: number) =>
      ratesOf(rates.add([queue({ totals: { in: came, out: went } })], ms));
    expect(at(0, 1000, 900)).toEqual([null, null]);
    // Two samples at nearly the same time would have a rate by chance.
    expect(at(10, 1001, 900)).toEqual([null, null]);
    expect(at(10_000, 1050, 990)).toEqual([5, 9]);
    expect(at(20_000, 2, 1)).toEqual([0, 0]);
  });

  it('rates: a broker that reports numbers of messages only has the rates of their changes at least, and is unknown without one', () => {
    const rates = new QueueRates();
    const at = (ms: number, waiting: number, inFlight: number | null) =>
      ratesOf(rates.add([queue({ waiting, inFlight })], ms));
    expect(at(0, 10, 0)).toEqual([null, null]);
    expect(at(2000, 20, 10)).toEqual([10, null]);
    expect(at(30_000, 20, 0)).toEqual([null, null]);
    expect(at(32_000, 0, 0)).toEqual([null, 10]);
    expect(at(34_000, 0, null)).toEqual([null, 5]);
  });

  it('rates: messages that came and went within the window both count', () => {
    const rates = new QueueRates();
    const at = (ms: number, waiting: number) => ratesOf(rates.add([queue({ waiting, inFlight: null })], ms));
    at(0, 0);
    expect(at(2000, 20)).toEqual([10, null]);
    expect(at(4000, 0)).toEqual([5, 5]);
    expect(at(10_000, 0)).toEqual([2, 2]);
  });

  it('rates: messages in flight have not gone if the management API fails and the queues are counted over AMQP', () => {
    const rates = new QueueRates();
    const managed = { waiting: 10, inFlight: 50, totals: { in: 100, out: 40 }, rateIn: 0, rateOut: 0 };
    rates.add([queue(managed)], 0);
    expect(ratesOf(rates.add([queue({ waiting: 10, inFlight: null })], 2000))).toEqual([null, null]);
    expect(ratesOf(rates.add([queue(managed)], 4000))).toEqual([0, 0]);
  });
});
