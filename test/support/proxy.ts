import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** Stands between the broker and its clients, so that a connection can be cut at any moment. */
export interface Proxy {
  /** The URL of the broker through the proxy. */
  url: string;
  /** Ends all connections at once. */
  cut(): void;
  close(): Promise<void>;
}

/**
 * Type of a frame with a method, and the class and method of `basic.ack`, which is the broker's confirm and the client's
 * acknowledgement (AMQP 0-9-1, 2.3 and 1.8).
 */
const [methodFrame, basic, ack] = [1, 60, 80];
/** Bytes of a frame around its payload. */
const [headBytes, endBytes] = [7, 1];
/** Bytes that a client sends before its first frame. */
const protocolHeader = Buffer.from('AMQP\0\0\u0009\u0001');

/** Passes on the frames of one side, and holds its `basic.ack` and all that follows until `passing` resolves. */
function holdingAcks(passing: () => Promise<void>): Transform {
  let rest = Buffer.alloc(0);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      rest = Buffer.concat([rest, chunk]);
      let [end, isAck] = [0, false];
      if (rest.subarray(0, protocolHeader.length).equals(protocolHeader)) end = protocolHeader.length;
      while (rest.length >= end + headBytes) {
        const next = end + headBytes + rest.readUInt32BE(end + 3) + endBytes;
        if (rest.length < next) break;
        const [classAt, methodAt] = [end + headBytes, end + headBytes + 2];
        isAck ||=
          rest[end] === methodFrame &&
          rest.readUInt16BE(classAt) === basic &&
          rest.readUInt16BE(methodAt) === ack;
        end = next;
      }
      const whole = rest.subarray(0, end);
      rest = rest.subarray(end);
      if (!isAck) done(null, whole);
      else passing().then(() => done(null, whole), done);
    },
  });
}

export interface ProxyOptions {
  /** Holds the broker's confirms of published messages on each connection until it resolves. */
  confirming?: () => Promise<void>;
  /** Holds the clients' acknowledgements on each connection until it resolves. */
  acknowledging?: () => Promise<void>;
}

/** @param url AMQP URL of the broker. */
export async function openProxy(url: URL, { confirming, acknowledging }: ProxyOptions = {}): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const broker = createConnection(Number(url.port), url.hostname);
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    // As at a port that nothing listens at: a client would wait for an answer.
    broker.on('error', () => client.destroy());
    (acknowledging ? client.pipe(holdingAcks(acknowledging)) : client).pipe(broker);
    (confirming ? broker.pipe(holdingAcks(confirming)) : broker).pipe(client);
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const through = new URL(url);
  through.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: through.href,
    cut,
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
