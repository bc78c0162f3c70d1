import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

export interface Faulty {
  port: number;
  close(): Promise<void>;
}

/** A server that mistreats each connection as configured: it stays silent, sends wrong data, or hangs up. */
export async function faultyServer(serve: (socket: Socket) => void): Promise<Faulty> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    // The peer may disconnect at any time.
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Uses such a server while a test needs it. */
export async function withFaultyServer<T>(
  serve: (socket: Socket) => void,
  use: (port: number) => Promise<T>,
): Promise<T> {
  const server = await faultyServer(serve);
  try {
    return await use(server.port);
  } finally {
    await server.close();
  }
}

/**
 * Passes on what comes to `target`. After `freeze`, what went through it so far gets no answer any more, and no end
 * either; after `cut` it is gone.
 */
export function proxyTo(target: URL): {
  serve: (socket: Socket) => void;
  freeze: () => void;
  cut: () => void;
} {
  const open = new Set<Socket>();
  return {
    serve(socket) {
      const onward = connect(Number(target.port), target.hostname);
      onward.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.on('close', () => onward.destroy());
      open.add(onward);
      socket.pipe(onward).pipe(socket);
    },
    freeze() {
      for (const onward of open) onward.unpipe().pause();
      open.clear();
    },
    cut() {
      for (const onward of open) onward.destroy();
      open.clear();
    },
  };
}

/**
 * Speaks enough SMTP (RFC 5321) to refuse: a reply by the command's first word, "250 OK" to the others. The reply END, to the end
 * of a mail, is made from its content.
 */
export function smtp(
  given: Record<string, string | ((line: string) => string)>,
  seen: string[] = [],
): (socket: Socket) => void {
  const replies: typeof given = { CONNECT: '220 ready', DATA: '354 go on', QUIT: '221 bye', ...given };
  const replyTo = (word: string, line = '') => {
    const reply = replies[word] ?? '250 OK';
    return typeof reply === 'string' ? reply : reply(line);
  };
  return (socket) => {
    let inData = false;
    let rest = '';
    let content = '';
    socket.write(`${replyTo('CONNECT')}\r\n`);
    socket.on('data', (chunk) => {
      const lines = (rest + chunk.toString()).split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const word = inData ? (line === '.' ? 'END' : '') : (line.split(/[ :]/)[0] ?? '').toUpperCase();
        if (inData) content += `${line}\n`;
        if (word === '') continue;
        seen.push(line);
        const reply = replyTo(word, word === 'END' ? content : line);
        content = '';
        inData = word === 'DATA' && reply.startsWith('354');
        socket.write(`${reply}\r\n`);
        if (/^(421|221)/.test(reply)) socket.end();
      }
    });
  };
}
