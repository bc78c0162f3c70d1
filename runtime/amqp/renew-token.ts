import type { ChannelModel } from 'amqplib';
import { withDeadline } from '../base/deadline.ts';
import { UnavailableError } from '../base/errors.ts';
import type { Token } from './token.ts';

/** A token is renewed when this part of its time is over. */
const part = 0.75;
/** A renewal that failed is tried again when this part of the rest is over. */
const retryPart = 0.5;
const minPauseMs = 200;
/** Limit for the broker's answer, which it gives at once. */
const answerMs = 10_000;
/** A longer timer fires at once. */
const maxTimerMs = 2 ** 31 - 1;

/**
 * Renews the token of a connection while it is open, so that the broker never closes it because of an expired token: a new token
 * replaces the old one on the same connection (`connection.update-secret`). A failed renewal is tried again until the token has expired;
 * then the broker closes the connection, and the next one begins with a token of its own.
 *
 * @param request requests the next token.
 */
export function keepTokenFresh(model: ChannelModel, token: Token, request: () => Promise<Token>): void {
  let timer: NodeJS.Timeout | undefined;
  let expires = Date.now() + token.validMs;
  let closed = false;
  const wait = (share: number) => {
    const ms = Math.min(Math.max((expires - Date.now()) * share, minPauseMs), maxTimerMs);
    timer = setTimeout(renew, ms).unref();
  };
  const renew = async () => {
    let share = retryPart;
    try {
      const next = await request();
      if (closed) return;
      const late = () => new UnavailableError('broker', 'the broker did not take the new token in time');
      await withDeadline(model.updateSecret(Buffer.from(next.text), 'renewal'), { ms: answerMs, late });
      expires = Date.now() + next.validMs;
      share = part;
    } catch {
      // The connection still has its token. Once that has expired, the broker closes the connection, or refuses what is done on it.
    }
    if (!closed && Date.now() < expires) wait(share);
  };
  model.on('close', () => {
    closed = true;
    clearTimeout(timer);
  });
  wait(part);
}
