import { isPublishRefused } from '../amqp/publish-errors.ts';

/** The broker's reply code for a missing right (AMQP 0-9-1, 1.1), which all messages need. */
const accessRefused = 403;

/** Whether the broker refused a publish because of the message, and not because of the login. */
export const isMessageRefused = (error: unknown): boolean =>
  isPublishRefused(error) && error.replyCode !== accessRefused;
