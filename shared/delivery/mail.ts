import { createTransport } from 'nodemailer';
import { isNetworkError, resource, type SettingsValues, UnavailableError, urlField } from 'warren/functions';
import { z } from 'zod';

/** Settings for mail. */
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
  /** RFC 5322's Message-ID, in angle brackets; the same for each attempt to send the same mail. */
  messageId?: string;
  /** URL to unsubscribe: the recipient opens it in a browser, or clicks in the mail program (RFC 8058). */
  unsubscribeUrl?: string;
}

/** Sends mail. */
export interface MailerLike {
  /**
   * Sends a mail.
   *
   * @param signal ends the attempt and closes the connection.
   * @throws UnavailableError if the server is unavailable, too slow, or replies 4xx (RFC 5321).
   */
  send(mail: Mail, signal?: AbortSignal): Promise<void>;
}

/** Creates a mailer over SMTP with a connection per mail, because a kept one would die while the function is frozen. */
export function createMailer({ SMTP_URL, MAIL_FROM }: MailSettings): MailerLike {
  const transport = createTransport(
    {
      url: SMTP_URL,
      connectionTimeout: 4000,
      greetingTimeout: 4000,
      // Time without data; the caller of `send` limits the total time.
      socketTimeout: 10_000,
      // The content of a message must not read a file or open a URL.
      disableFileAccess: true,
      disableUrlAccess: true,
    },
    { from: MAIL_FROM },
  );
  return {
    async send({ to, unsubscribeUrl, ...mail }, signal) {
      // An object, because a comma in a stored address would make it two addresses.
      const headers = unsubscribeUrl && unsubscribeHeaders(unsubscribeUrl);
      const message = {
        ...mail,
        to: { name: '', address: to },
        ...(headers && { headers }),
        ...(signal && { signal }),
      };
      await transport.sendMail(message).catch((cause: unknown) => {
        if (isUnavailable(cause)) {
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

/** nodemailer's codes for a connection that failed, broke, timed out, or was refused. */
const unavailableCodes = new Set([
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

function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, responseCode } = error as Error & { code?: string; responseCode?: number };
  if (responseCode !== undefined && responseCode >= 400 && responseCode < 500) return true;
  return isNetworkError(error) || (code !== undefined && unavailableCodes.has(code));
}

/** Sends mail through the configured server. */
export const mailer = resource(mailSettings, createMailer);
