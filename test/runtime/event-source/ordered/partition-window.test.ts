import { expect, it } from 'vitest';
import type { OrderedMapping } from '../../../../runtime/event-source/ordered/ordered-options.ts';
import { PartitionWindow } from '../../../../runtime/event-source/ordered/partition-window.ts';
import { delivery } from '../../../support/broker.ts';

const mapping = (order: object, maxMessageBytes = 65_536) =>
  ({ order: { by: 'header.tenant', ...order }, maxMessageBytes }) as OrderedMapping;
const perKey = (limit?: object) => ({ perKey: { concurrency: 1, ...(limit && { limit }) } });
const messages = (count: number, bytes: number, deliveries = 0) =>
  Array.from({ length: count }, () =>
    delivery('.'.repeat(bytes), { properties: { headers: { 'x-delivery-count': deliveries } } }),
  );

it('window: a worker reads as far ahead as messages of the allowed size permit, until it has seen thirty', () => {
  const window = new PartitionWindow(mapping(perKey()));
  expect(window.messages).toBe(1000);
  window.note(messages(29, 100));
  expect([window.messages, window.differs(1000), window.isOpen]).toEqual([1000, false, true]);
  window.note(messages(1, 100));
  expect([window.messages, window.differs(1000), window.isOpen]).toEqual([12_000, true, false]);
  expect(new PartitionWindow(mapping(perKey(), 8000)).messages).toBe(8000);
});

it('window: a single larger message makes it smaller, and messages that are too large count as the largest that is allowed', () => {
  const window = new PartitionWindow(mapping(perKey()));
  window.note([...messages(40, 100), ...messages(1, 8000)]);
  expect([window.messages, window.differs(12_000), window.differs(1000)]).toEqual([8000, false, true]);
  window.note(messages(1, 16_000));
  expect([window.messages, window.differs(8000)]).toEqual([4000, true]);
  const small = new PartitionWindow(mapping(perKey(), 8000));
  small.note(messages(30, 20_000));
  expect(small.messages).toBe(8000);
});

it('window: with orderBy it never changes, and with the limit of a longer time neither, because a new subscription waits for that', () => {
  const ordered = new PartitionWindow(mapping({}));
  const limited = new PartitionWindow(mapping(perKey({ count: 1, periodMs: 60_000 })));
  const often = new PartitionWindow(mapping(perKey({ count: 1, periodMs: 1000 })));
  expect([ordered, limited, often].map(({ isOpen }) => isOpen)).toEqual([false, false, true]);
  for (const window of [ordered, limited, often]) window.note(messages(1000, 100));
  expect([ordered.messages, ordered.differs(91)]).toEqual([256, false]);
  expect([limited.messages, limited.differs(1000)]).toEqual([1000, false]);
  expect(often.differs(1000)).toBe(true);
});

it('window: it changes at once for thirty messages that arrive together and were returned twice at most, or for a larger message', () => {
  const window = new PartitionWindow(mapping(perKey()));
  window.note(messages(30, 1));
  expect(window.isWrong(1000, messages(29, 1))).toBe(false);
  expect(window.isWrong(1000, messages(30, 1, 2))).toBe(true);
  expect(window.isWrong(1000, messages(30, 1, 3))).toBe(false);
  expect(window.isWrong(12_000, messages(30, 1))).toBe(false);
  window.note(messages(1, 64_000));
  expect(window.isWrong(12_000, messages(1, 64_000, 2))).toBe(true);
  expect(window.isWrong(12_000, messages(1, 64_000, 3))).toBe(false);
});
