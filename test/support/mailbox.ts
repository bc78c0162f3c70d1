import { stack } from './stack.ts';

/** A mail as the mailbox returns it. */
export interface ReceivedMail {
  id: string;
  subject: string;
  text: string;
  html: string;
  to: { address: string }[];
  headers: Record<string, unknown>;
}

/** Returns all mails in the mailbox at this address (MailDev's REST API). */
export async function readMails(mailboxUrl: string): Promise<ReceivedMail[]> {
  const response = await fetch(new URL('/api/email', mailboxUrl));
  return (await response.json()) as ReceivedMail[];
}

/** Returns all mails to an address in the mailbox of the tests. */
export async function mailsTo(address: string): Promise<ReceivedMail[]> {
  const mails = await readMails(stack.MAILBOX_URL);
  return mails.filter(({ to }) => to.some((each) => each.address === address));
}

/** Returns the source of a mail as SMTP carried it. */
export async function sourceOf({ id }: ReceivedMail): Promise<string> {
  return (await fetch(new URL(`/api/email/${id}/source`, stack.MAILBOX_URL))).text();
}
