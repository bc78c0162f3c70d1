import { describe, expect, it } from 'vitest';
import { isPatient, Pending } from '../../../runtime/amqp/pending.ts';

const deadlineMs = 2200;
const written = { exchange: '', routingKey: 'q', messageId: 'm', reject: () => undefined };
const pendingOf = (given: ConstructorParameters<typeof Pending>[0]) =>
  new Pending(given, deadlineMs, written);
/** How long its confirm is awaited, to a tenth of a second. */
const patienceOf = (entry: Pending, blocked: boolean): number => {
  const now = entry.until - deadlineMs + 1;
  let ms = 0;
  while (isPatient(entry, now + ms, blocked)) ms += 100;
  return ms;
};

describe('the patience of a publish', () => {
  it('a message without a delay has none', () => {
    const entry = pendingOf({});
    expect([patienceOf(entry, false), patienceOf(entry, true), entry.once]).toEqual([0, 0, false]);
  });

  it('the confirm of a delayed message is awaited for 10 s, and for two deadlines if the broker blocks publishers', () => {
    const entry = pendingOf({ deliverAt: new Date() });
    expect([patienceOf(entry, false), patienceOf(entry, true), entry.once]).toEqual([10_000, 4400, true]);
  });

  it('patienceMs is the patience, also if the broker blocks publishers', () => {
    const entry = pendingOf({ deliverAt: new Date(), patienceMs: 20_000 });
    expect([patienceOf(entry, false), patienceOf(entry, true), entry.once]).toEqual([20_000, 20_000, false]);
  });
});
