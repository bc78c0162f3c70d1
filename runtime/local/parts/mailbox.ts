import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { loadPackage, type PartOptions, type StartedPart } from './part.ts';

/** The part of the package `maildev` that is used here. */
interface Maildev {
  MailDev: new (options: {
    smtp: number;
    ip: string;
    web: number;
    webIp: string;
    mailDirectory: string;
    maxEmails: number;
    silent: boolean;
  }) => { start(): Promise<unknown>; stop(): Promise<void> };
}

export interface MailboxOptions extends Pick<PartOptions, 'dataDir' | 'report'> {
  ports: { smtp: number; mailbox: number };
}

/**
 * Starts MailDev in this process: it delivers nothing, shows all mails on a page, and keeps them in the folder `mails`.
 *
 * @throws StackError if the package `maildev` is not installed.
 */
export async function startMailbox({
  dataDir,
  ports,
  report,
}: MailboxOptions): Promise<StartedPart<'SMTP_URL' | 'MAILBOX_URL'>> {
  const advice = 'run npm install --save-dev maildev, or set SMTP_URL';
  const { MailDev } = await loadPackage<Maildev>('maildev', advice);
  report('mail', 'SMTP_URL is not set: starting MailDev in this process; nothing leaves this machine');
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
  const [smtp, page] = [`smtp://127.0.0.1:${ports.smtp}`, `http://127.0.0.1:${ports.mailbox}`];
  return {
    env: { SMTP_URL: smtp, MAILBOX_URL: page },
    address: `${smtp}, page ${page}`,
    stop: () => mailbox.stop(),
  };
}
