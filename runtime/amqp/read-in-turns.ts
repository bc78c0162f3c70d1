import type { ChannelModel } from 'amqplib';

/** Milliseconds of a turn of the event loop after which a connection reads no further in it. */
const turnMs = 3;

/** The parts of amqplib's connection that its types leave out. */
interface Wire {
  stream: NodeJS.ReadableStream;
  /** The next frame; false if it is not complete. */
  recvFrame(): unknown;
}

/**
 * Reads what has arrived in turns, with the rest of the process between them. Node reads up to 2 MB from a socket before it looks at another
 * one, which are thousands of messages: the result of a call that runs in another process would wait for all of them.
 */
export function readInTurns(model: ChannelModel): void {
  const connection = model.connection as unknown as Wire;
  const { stream } = connection;
  const read = connection.recvFrame.bind(connection);
  /** When the turn is over, by `performance.now`; undefined before the first frame in it. */
  let until: number | undefined;
  let isPaused = false;
  const next = () => {
    until = undefined;
    if (!isPaused) return;
    isPaused = false;
    // As if more had arrived: amqplib reads what is there.
    stream.emit('readable');
  };
  connection.recvFrame = () => {
    const now = performance.now();
    if (until === undefined) {
      until = now + turnMs;
      setImmediate(next);
    }
    isPaused = now >= until;
    return isPaused ? false : read();
  };
  // Nothing more arrives, and amqplib closes the connection: it has to read the reason of the broker before.
  stream.prependListener('end', () => {
    connection.recvFrame = read;
    stream.emit('readable');
  });
}
