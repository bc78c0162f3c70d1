import { createServer } from 'node:net';

/** A mail server (RFC 5321) that takes every mail, drops it and counts it: a mailbox takes seconds to read a large one. */
export async function openMailSink() {
  let mails = 0;
  const server = createServer((socket) => {
    let [text, inMail] = ['', false];
    const answer = (line: string) => void socket.write(`${line}\r\n`);
    answer('220 sink');
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      const end = inMail ? '\r\n.\r\n' : '\r\n';
      if (!text.endsWith(end)) return;
      const command = text.slice(0, 4).toUpperCase();
      text = '';
      if (inMail) mails += 1;
      inMail = !inMail && command === 'DATA';
      if (command === 'QUIT' && !inMail) socket.end('221 bye\r\n');
      else answer(inMail ? '354 go on' : '250 fine');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { url: `smtp://127.0.0.1:${port}`, mails: () => mails, close: () => void server.close() };
}
