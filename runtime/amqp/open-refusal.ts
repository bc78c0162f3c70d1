import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { credentials } from 'amqplib';

/** What is needed to open a connection. */
export interface Opening {
  host: string;
  port: number;
  vhost: string;
  locale: string | undefined;
  login: ReturnType<typeof credentials.external>;
  /** Options of the TLS socket; undefined for a plain one. */
  tls: ConnectionOptions | undefined;
  /** Limit in milliseconds. */
  ms: number;
}

/** Methods of the class `connection` (10). */
const [start, startOk, tune, tuneOk, open, close] = [10, 11, 30, 31, 40, 50];
const [methodFrame, frameEnd] = [1, 0xce];
/** Sizes of a frame's header, and of a header with the class and the method. */
const [headerBytes, methodBytes] = [7, 11];
/** Size of the shortest frame with a method that is read: a short number, and the end. */
const leastBytes = methodBytes + 3;

/** The broker's refusal to open a virtual host. */
export interface OpenRefusal {
  code: number;
  /** The broker's reason, for a person to read: RabbitMQ has the code 530 for a missing vhost, a missing right and several limits. */
  text: string;
}

/**
 * Opens a connection once more to learn how the broker refuses that: amqplib reports no code for the answer to
 * `connection.open`, and only the code distinguishes a vhost that is missing (530) from one that is down (541).
 *
 * @returns undefined if the broker does not refuse, or does not answer.
 * @see AMQP 0-9-1, 1.4.1 and 4.2.2
 */
export function openRefusal({ host, port, tls, ms, ...fields }: Opening): Promise<OpenRefusal | undefined> {
  return new Promise((resolve) => {
    // A name of the certificate, which an IP address is not.
    const named = isIP(host) === 0 ? { servername: host } : {};
    const socket = tls ? connectTls({ ...named, ...tls, host, port }) : connectPlain({ host, port });
    const end = (refusal?: OpenRefusal) => {
      resolve(refusal);
      socket.destroy();
    };
    let rest = Buffer.alloc(0);
    socket
      .setTimeout(ms, end)
      .on('error', () => end())
      .on('close', () => end())
      .once(tls ? 'secureConnect' : 'connect', () => socket.write('AMQP\0\0\x09\x01', 'latin1'))
      .on('data', (bytes) => {
        rest = Buffer.concat([rest, bytes]);
        while (rest.length >= headerBytes && rest.length > headerBytes + rest.readUInt32BE(3)) {
          const size = headerBytes + rest.readUInt32BE(3) + 1;
          const frame = rest.subarray(0, size);
          rest = rest.subarray(size);
          if (frame[0] !== methodFrame) continue;
          // Of a program that is no broker.
          if (size < leastBytes) return end();
          const answered = answer(socket, frame, fields);
          if (answered !== true) return end(answered);
        }
      });
  });
}

/** @returns true if the broker's next answer is awaited; else its refusal, undefined if it did not refuse. */
function answer(
  socket: Socket,
  frame: Buffer,
  { login, locale = 'en_US', vhost }: Pick<Opening, 'login' | 'locale' | 'vhost'>,
): true | OpenRefusal | undefined {
  const parameters = frame.subarray(methodBytes, -1);
  switch (frame.readUInt16BE(headerBytes + 2)) {
    case start: {
      // Without client properties.
      const response = Buffer.from(login.response());
      const size = Buffer.alloc(4);
      size.writeUInt32BE(response.length);
      socket.write(method(startOk, Buffer.alloc(4), short(login.mechanism), size, response, short(locale)));
      return true;
    }
    case tune:
      socket.write(method(tuneOk, parameters));
      socket.write(method(open, short(vhost), short(''), Buffer.alloc(1)));
      return true;
    case close:
      return {
        code: parameters.readUInt16BE(0),
        text: parameters.toString('utf8', 3, 3 + (parameters[2] ?? 0)),
      };
    default:
      return undefined;
  }
}

function short(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function method(id: number, ...fields: readonly Buffer[]): Buffer {
  const payload = Buffer.concat([Buffer.from([0, 10, 0, id]), ...fields]);
  const header = Buffer.alloc(headerBytes);
  header[0] = methodFrame;
  header.writeUInt32BE(payload.length, 3);
  return Buffer.concat([header, payload, Buffer.from([frameEnd])]);
}
