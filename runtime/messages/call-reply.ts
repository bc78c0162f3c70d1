import { RejectedError } from '../base/errors.ts';
import { stringifyJson } from '../base/json.ts';
import { isUnavailable } from '../base/unavailable.ts';
import { CallError, type CallReply } from './reply.ts';

/** A reply in bytes, with its content type. */
export class BinaryReply {
  readonly content: Uint8Array;
  readonly contentType: string;

  /** @param contentType default `application/octet-stream`. */
  constructor(content: Uint8Array, contentType = 'application/octet-stream') {
    this.content = content;
    this.contentType = contentType;
  }
}

/** Bytes of a reply by default: what an answer of Lambda takes in base64, so that a call over HTTP can return it. */
export const defaultReplyBytes = 4_500_000;

/**
 * Encodes the result of a handler: a string as text, bytes unchanged, any other value as JSON.
 *
 * @param maxBytes limit for the reply, default 4500000.
 * @throws TypeError if JSON cannot represent the result, CallError 500 if it is larger.
 */
export function encodeReply(result: unknown, maxBytes = defaultReplyBytes): CallReply {
  if (typeof result === 'string') {
    return { contentType: 'text/plain; charset=utf-8', body: within(result, maxBytes) };
  }
  if (result instanceof Uint8Array) return encodeReply(new BinaryReply(result), maxBytes);
  if (result instanceof BinaryReply) {
    const { content, contentType } = result;
    const body = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
    return { contentType, body: within(body, maxBytes) };
  }
  return { contentType: 'application/json', body: within(stringifyJson(result), maxBytes) };
}

function within(content: string | Buffer, maxBytes: number): Buffer {
  const bytes = Buffer.byteLength(content);
  if (bytes > maxBytes) throw replyTooLarge(`expected at most ${maxBytes} bytes, got ${bytes}`);
  return typeof content === 'string' ? Buffer.from(content) : content;
}

/** The error for a call whose reply is larger than its method or the broker allows. */
export function replyTooLarge(detail: string): CallError {
  return new CallError(500, 'The reply is too large', detail);
}

/** The error for a call whose method returned what its contract does not allow. */
export function wrongReply(detail: string): CallError {
  return new CallError(500, 'The reply does not fit its contract', detail);
}

/** An error reply. */
export interface ProblemReply extends CallReply {
  body: ReturnType<typeof toProblem>;
}

/** The reply for an error. */
export function problemReply(error: unknown): ProblemReply {
  return { type: 'error', contentType: 'application/problem+json', body: toProblem(error) };
}

/** The error for a call that ended its host, or whose host lost its connection to the broker, and that is not made again. */
export function begunBefore(): CallError {
  return new CallError(500, 'The call was begun before', 'the call was begun before and did not end');
}

/** The error for a call that is not made, because its caller no longer waits. */
export function callerGone(): CallError {
  return new CallError(
    504,
    'No answer in time',
    'the time limit of the caller was over before the call began',
  );
}

/** The problem (RFC 9457) that a caller gets for an error. */
export function toProblem(error: unknown): { type: string; title: string; status: number; detail?: string } {
  const type = 'about:blank';
  if (error instanceof CallError)
    return { type, title: error.title, status: error.status, detail: error.message };
  if (error instanceof RejectedError) {
    return { type, title: 'The request can not be served', status: 422, detail: error.message };
  }
  if (isUnavailable(error)) return { type, title: 'A part this method needs is away', status: 503 };
  return { type, title: 'The method failed', status: 500 };
}
