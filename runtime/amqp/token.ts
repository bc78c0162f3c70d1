import { UnavailableError } from '../base/errors.ts';

/** An access token, which the broker takes in place of a password. */
export interface Token {
  text: string;
  /** Milliseconds that it is valid from now on. */
  validMs: number;
}

/** A token has a few thousand characters; RabbitMQ's frames take 128 KiB. */
const maxBytes = 128 * 1024;

/**
 * Sends a request for a token.
 *
 * @param source of the token, for errors.
 * @param ms limit for the answer.
 * @throws UnavailableError if there is no answer, or a larger one than a token can have.
 */
export async function askForToken(
  request: Request,
  source: string,
  ms: number,
): Promise<{ status: number; text: string }> {
  // The secret goes to no other address.
  const asked = new Request(request, { redirect: 'manual', signal: AbortSignal.timeout(ms) });
  const response = await fetch(asked).catch((cause: unknown) => {
    throw new UnavailableError('broker', `${source} can't be reached`, { cause });
  });
  const text = await bodyOf(response).catch((cause: unknown) => {
    throw new UnavailableError('broker', `${source} can't be read`, { cause });
  });
  return { status: response.status, text };
}

async function bodyOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new RangeError(`expected at most ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
