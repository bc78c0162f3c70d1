import { createTransport } from 'nodemailer';
import { isNetworkError, resource, type SettingsValues, UnavailableError, urlField } from 'warren/functions';
import { z } from 'zod';

/** How mails are sent. */
export const mailSettings = () =>
  z.object({
    SMTP_URL: urlField(['smtp:', 'smtps:'], 'smtp://user:password@host:587').describe('the mail server'),
    MAIL_FROM: z.string().default('Warren <warren@example.com>').describe('sender of all mails'),
  });

type MailSettings = SettingsValues<typeof mailSettings>;

export interface Mail {
  /** Address of the recipient. */
  to: string;
  subject: string;
  text: string;
  html: string;
  /** RFC 5322's Message-ID, in angle brackets; the same for every try to send the same mail. */
  messageId?: string;
  /** Where the recipient unsubscribes: by a click on the link in a browser, or in the mail program (RFC 8058). */
  unsubscribeUrl?: string;
}

/** What modules that send mail ask for. */
export interface MailerLike {
  /**
   * Sends a mail.
   *
   * @param signal when to give up; the connection is closed then.
   * @throws UnavailableError where the server is away, too slow, or says "later" (a reply of 4xx, RFC 5321).
   */
  send(mail: Mail, signal?: AbortSignal): Promise<void>;
}

/** Sends mail over SMTP, one connection a mail: one that was kept would be dead when a frozen function wakes. */
export function createMailer({ SMTP_URL, MAIL_FROM }: MailSettings): MailerLike {
  const transport = createTransport(
    {
      url: SMTP_URL,
      connectionTimeout: 4000,
      greetingTimeout: 4000,
      // Of silence; whoever sends says how long it may take in all.
      socketTimeout: 10_000,
      // Nothing that a message says may make us read a file or open a URL.
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from: MAIL_FROM },
  );
  return {
    async send({ to, unsubscribeUrl, ...mail }, signal) {
      // As an object: a comma in a stored address must not make it two.
      const headers = unsubscribeUrl && unsubscribeHeaders(unsubscribeUrl);
      const message = {
        ...mail,
        to: { name: '', address: to },
        ...(headers && { headers }),
        ...(signal && { signal }),
      };
      await transport.sendMail(message).catch((cause: unknown) => {
        if (isAway(cause)) {
          throw new UnavailableError('mail', 'the mail server does not take mail now', { cause });
        }
        throw cause;
      });
    },
  };
}

const unsubscribeHeaders = (url: string) => ({
  'List-Unsubscribe': `<${url}>`,
  'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
});

/** nodemailer's codes for a connection that could not be made, broke off, took too long, or was not let in. */
const awayCodes = new Set([
  'EABORT',
  'ECONNECTION',
  'ETIMEDOUT',
  'ESOCKET',
  'EDNS',
  'ETLS',
  'EAUTH',
  'ENOAUTH',
  'EPROTOCOL',
]);

function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, responseCode } = error as Error & { code?: string; responseCode?: number };
  if (responseCode !== undefined && responseCode >= 400 && responseCode < 500) return true;
  return isNetworkError(error) || (code !== undefined && awayCodes.has(code));
}

/** Sends mail through the server that the settings name. */
export const mailer = resource(mailSettings, createMailer);
