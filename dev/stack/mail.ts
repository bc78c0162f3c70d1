import { createTransport } from 'nodemailer';
import { startMailbox } from '../../runtime/local/parts/mailbox.ts';
import { StackError } from '../../runtime/local/stack-error.ts';
import type { Part, StackContext } from './context.ts';

/**
 * Starts mail: uses the user's own server if SMTP_URL is set, otherwise a mailbox in this process.
 *
 * @throws StackError if the user's server is unavailable or refuses the login.
 */
export async function startMail(context: StackContext): Promise<Part> {
  const { given, report } = context;
  const url = given['SMTP_URL'];
  if (!url) return startMailbox(context);
  report('mail', 'using the mail server of SMTP_URL');
  await checkGiven(url);
  const env = { SMTP_URL: url, MAILBOX_URL: given['MAILBOX_URL'] ?? '' };
  return { env, address: new URL(url).host, stop: async () => undefined };
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
