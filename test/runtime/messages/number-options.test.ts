import { expect, it } from 'vitest';
import { recordingPublisher } from 'warren/testing';
import { onBatch } from '../../../runtime/messages/on-batch.ts';
import { onCalls } from '../../../runtime/messages/on-calls.ts';
import { onMessages } from '../../../runtime/messages/on-messages.ts';

const publisher = recordingPublisher();
const handle = async () => undefined;

it.each([0, -1, 2.5, Number.NaN, '3', null])(
  'a concurrency of %s is refused when the function is created, and loses no message',
  (value) => {
    const concurrency = value as number;
    const shown = value === '3' ? '"3"' : String(value);
    const message = `concurrency: expected a whole number of at least 1, got ${shown}`;
    const refused = expect.objectContaining({ code: 'ERR_CONFIG', message });
    expect(() => onMessages({ publisher, concurrency }, handle)).toThrow(refused);
    expect(() => onCalls({ publisher, concurrency }, handle)).toThrow(refused);
  },
);

it('each wrong number is named, and the least, the largest and none are right', () => {
  const wrong = { maxBytes: Number.NaN, redeliveries: -1, maxReplyBytes: 0 };
  expect(() => onCalls({ publisher, ...wrong }, handle)).toThrow(
    [
      'redeliveries: expected a whole number of at least 0, got -1',
      'maxBytes: expected a whole number of at least 1, got NaN',
      'maxReplyBytes: expected a whole number of at least 1, got 0',
    ].join('\n'),
  );
  expect(() => onBatch({ publisher, maxBytes: Number.NaN }, handle)).toThrow('maxBytes: expected');
  const right = [{}, { concurrency: 1, maxBytes: 1 }, { concurrency: Number.POSITIVE_INFINITY }];
  for (const options of right) expect(onMessages({ publisher, ...options }, handle)).toBeTypeOf('function');
  expect(onCalls({ publisher, redeliveries: 0 }, handle)).toBeTypeOf('function');
});
