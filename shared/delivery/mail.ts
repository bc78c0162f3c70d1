import { createTransport } from 'nodemailer';
import {
  isUnavailable,
  Renewed,
  resource,
  type SettingsValues,
  UnavailableError,
  urlField,
} from 'warren/functions';
import * as z from 'zod';
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

/**
 * Creates a mailer over SMTP with a connection per mail, because a kept one would die while the function is frozen.
 *
 * @param reread reads the settings again after the server refused the login; default they never change.
 */
export function createMailer(values: MailSettings, reread = async () => values): MailerLike {
  const transports = new Renewed({ values, build: createSmtp, reread, refused: isLoginRefused });
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
      await transports
        .use((transport) => transport.sendMail(message))
        .catch((cause: unknown) => {
          const reason = reasonOf(cause);
          throw reason === undefined ? cause : new UnavailableError('mail', reason, { cause });
        });
    },
  };
}

function createSmtp({ SMTP_URL, MAIL_FROM }: MailSettings) {
  return createTransport(
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

/** Replies that ask for a login or refuse it (RFC 4954, 6), whichever command they answer. */
const loginReplies: ReadonlySet<unknown> = new Set([530, 534, 535, 538]);
/** nodemailer's codes for a login that the server refuses or that is missing. */
const loginCodes: ReadonlySet<unknown> = new Set(['EAUTH', 'ENOAUTH', 'EOAUTH2']);
/** Codes for a name that leads to no server. */
const nameCodes: ReadonlySet<unknown> = new Set(['EDNS', 'ENOTFOUND', 'EAI_AGAIN']);

/**
 * Why the server takes no mail now, with the setting that is wrong if it refuses us; undefined if it refuses this mail or its
 * recipient. The reply to `MAIL FROM` is about the sender in our settings.
 */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, command, responseCode = 0 } = error as SmtpError;
  const isForGood = responseCode >= 500;
  if (loginReplies.has(responseCode) || (loginCodes.has(code) && (isForGood || responseCode === 0)))
    return 'the mail server refuses the login: check the user and password of SMTP_URL';
  if (command === 'MAIL FROM' && isForGood) return 'the mail server refuses the sender: check MAIL_FROM';
  if (nameCodes.has(code)) return 'the mail server is not found: check the host of SMTP_URL';
  if (code === 'ETLS') return 'the TLS of the mail server fails: check its certificate and SMTP_URL';
  return isUnavailable(error) ? 'the mail server does not take mail now' : undefined;
}

/** The parts of nodemailer's error about what the server refused. */
interface SmtpError extends Error {
  code?: string;
  command?: string;
  responseCode?: number;
}

/** nodemailer's code for a login that the server refuses (RFC 4954). */
const isLoginRefused = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EAUTH';

/** Sends mail through the configured server. */
export const mailer = resource(mailSettings, (settings, { reread }) => createMailer(settings, reread));
