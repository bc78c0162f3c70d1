import { createTransport } from 'nodemailer';
import { isUnavailable, resource, type SettingsValues, UnavailableError, urlField } from 'warren/functions';
import { z } from 'zod';
import { addressesField, type Recipient } from './addresses.ts';
import { headerText } from './header-text.ts';

/** Settings for mail. */
export const mailSettings = () =>
  z.object({
    SMTP_URL: urlField(['smtp:', 'smtps:'], 'smtp://user:password@host:587').describe('the mail server'),
    MAIL_FROM: addressesField(1).default('Warren <warren@example.com>').describe('sender of all mails'),
  });

type MailSettings = SettingsValues<typeof mailSettings>;

export interface Mail {
  /** Address of the recipient; an object for one with a name. */
  to: string | Recipient;
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
   * @throws UnavailableError if the server is unavailable or too slow, replies 4xx (RFC 5321), or refuses our login or sender.
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
    async send({ to, subject, unsubscribeUrl, ...mail }, signal) {
      const headers = unsubscribeUrl && unsubscribeHeaders(unsubscribeUrl);
      const message = {
        ...mail,
        subject: headerText(subject),
        to: recipientOf(to),
        ...(headers && { headers }),
        ...(signal && { signal }),
      };
      await transport.sendMail(message).catch((cause: unknown) => {
        if (isRefusalOfUs(cause)) {
          throw new UnavailableError('mail', 'the mail server does not take mail now', { cause });
        }
        throw cause;
      });
    },
  };
}

/** An object, because a comma in a stored address would make it two addresses. */
const recipientOf = (to: string | Recipient): Recipient =>
  typeof to === 'string'
    ? { name: '', address: headerText(to) }
    : { name: headerText(to.name), address: headerText(to.address) };

const unsubscribeHeaders = (url: string) => ({
  'List-Unsubscribe': `<${url}>`,
  'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
});

/**
 * Whether the server refuses mail now, or refuses us: the reply to `MAIL FROM` is about the sender in our settings, and not about
 * this mail or its recipient.
 */
function isRefusalOfUs(error: unknown): boolean {
  return (
    isUnavailable(error) || (error instanceof Error && 'command' in error && error.command === 'MAIL FROM')
  );
}

/** Sends mail through the configured server. */
export const mailer = resource(mailSettings, createMailer);
