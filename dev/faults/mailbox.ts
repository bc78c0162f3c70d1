import { mkdir } from 'node:fs/promises';
import { MailDev } from 'maildev';

/** A received mail. */
export interface Received {
  to: string;
  subject: string;
  text: string;
  /** Without its angle brackets. */
  messageId: string;
  /** When the server had it, in milliseconds since 1970. */
  at: number;
}

export interface Mailbox {
  /** All mails, in the order they came. */
  mails: readonly Received[];
  stop(): Promise<void>;
}

/** A Message-ID as `Received` has it. */
export const withoutBrackets = (messageId: string): string => messageId.replace(/^<|>$/g, '');

/** A real mail server that keeps its mails in a folder, and remembers who got what and when. */
export async function startMailbox(port: number, folder: string): Promise<Mailbox> {
  await mkdir(folder, { recursive: true });
  const server = new MailDev({
    smtp: port,
    ip: '127.0.0.1',
    disableWeb: true,
    mailDirectory: folder,
    silent: true,
  });
  const { smtp } = await server.start();
  const mails: Received[] = [];
  smtp.on('new', ({ to, subject, text = '', headers }) => {
    const messageId = withoutBrackets(String(headers['message-id']));
    // Not the mail's own date: that is when it was written.
    for (const { address } of to) mails.push({ to: address, subject, text, messageId, at: Date.now() });
  });
  return { mails, stop: () => server.stop() };
}
