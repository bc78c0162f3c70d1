import { stack } from './stack.ts';

/** A mail as the mailbox keeps it. */
export interface ReceivedMail {
  id: string;
  subject: string;
  text: string;
  html: string;
  to: { address: string }[];
  headers: Record<string, unknown>;
}

/** All mails to an address. */
export async function mailsTo(address: string): Promise<ReceivedMail[]> {
  const response = await fetch(new URL('/api/email', stack.MAILBOX_URL));
  const mails = (await response.json()) as ReceivedMail[];
  return mails.filter(({ to }) => to.some((each) => each.address === address));
}

/** A mail as it went over the wire. */
export async function sourceOf({ id }: ReceivedMail): Promise<string> {
  return (await fetch(new URL(`/api/email/${id}/source`, stack.MAILBOX_URL))).text();
}
