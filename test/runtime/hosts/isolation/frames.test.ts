import { expect, it } from 'vitest';
import { FrameReader, readFrames, sendFrame } from '../../../../runtime/hosts/isolation/frames.ts';
import { socketPair } from '../../../support/socket-pair.ts';

const values = [{ a: 1 }, 'ä'.repeat(70_000), [], { text: '\u{1f407}' }];

/** What `sendFrame` writes. */
function framesOf(all: readonly unknown[]): Buffer {
  const written: Buffer[] = [];
  for (const value of all) sendFrame({ write: (bytes: Buffer) => written.push(bytes) } as never, value);
  return Buffer.concat(written);
}

it.each([1, 2, 3, 5, 7, 4096, 1_000_000])(
  'values arrive whole and in order if their stream comes in chunks of %i bytes',
  (size) => {
    const taken: unknown[] = [];
    const reader = new FrameReader((value) => taken.push(value));
    const bytes = framesOf(values);
    // One buffer for all reads, as the process of a function has it.
    const buffer = Buffer.alloc(size);
    for (let at = 0; at < bytes.length; at += size) {
      const length = bytes.copy(buffer, 0, at, at + size);
      reader.push(buffer.subarray(0, length));
    }
    expect(taken).toEqual(values);
  },
);

it('values cross a socket, and its end is known', async () => {
  const { near: sender, far: receiver, close } = await socketPair();
  const taken: unknown[] = [];
  const closed = readFrames(receiver, (value) => taken.push(value));
  for (const value of values) sendFrame(sender, value);
  sender.end();
  await closed;
  expect(taken).toEqual(values);
  close();
});
