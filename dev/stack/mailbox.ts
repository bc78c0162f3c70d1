import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MailDev } from 'maildev';
import { createTransport } from 'nodemailer';
import { StackError } from '../../runtime/local/stack-error.ts';
import type { Part, StackContext } from './context.ts';

/**
 * Starts mail: uses the user's own server if SMTP_URL is set, otherwise MailDev in this process, which delivers nothing and shows
 * all mails on a page. It keeps mails in the data folder.
 */
export async function startMailbox({ given, report, dataDir, ports }: StackContext): Promise<Part> {
  if (given['SMTP_URL']) {
    report('mail', 'using the mail server of SMTP_URL');
    await checkGiven(given['SMTP_URL']);
    const env = { SMTP_URL: given['SMTP_URL'], MAILBOX_URL: given['MAILBOX_URL'] ?? '' };
    return { env, address: new URL(given['SMTP_URL']).host, stop: async () => undefined };
  }
  report('mail', 'no SMTP_URL: starting MailDev in this process; nothing leaves this machine');
  const mailDirectory = join(dataDir, 'mails');
  await mkdir(mailDirectory, { recursive: true });
  const mailbox = new MailDev({
    smtp: ports.smtp,
    ip: '127.0.0.1',
    web: ports.mailbox,
    webIp: '127.0.0.1',
    mailDirectory,
    // The oldest go first; without a limit a long-lived mailbox becomes slow to start.
    maxEmails: 1000,
    silent: true,
  });
  await mailbox.start();
  return {
    env: {
      SMTP_URL: `smtp://127.0.0.1:${ports.smtp}`,
      MAILBOX_URL: `http://127.0.0.1:${ports.mailbox}`,
    },
    address: `smtp://127.0.0.1:${ports.smtp}, page http://127.0.0.1:${ports.mailbox}`,
    stop: () => mailbox.stop(),
  };
}

async function checkGiven(url: string): Promise<void> {
  const transport = createTransport({ url, connectionTimeout: 4000, greetingTimeout: 4000 });
  try {
    await transport.verify();
  } catch (cause) {
    const { code } = cause as { code?: string };
    const problem = code === 'EAUTH' ? 'refused the user or password' : `can't be reached (${code})`;
    throw new StackError(`SMTP_URL: the mail server at ${new URL(url).host} ${problem}`, { cause });
  } finally {
    transport.close();
  }
}
