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

/**
 * Encodes the result of a handler: a string as text, bytes unchanged, any other value as JSON.
 *
 * @throws TypeError if JSON cannot represent the result.
 */
export function encodeReply(result: unknown): CallReply {
  if (typeof result === 'string') {
    return { contentType: 'text/plain; charset=utf-8', body: Buffer.from(result) };
  }
  if (result instanceof Uint8Array) return encodeReply(new BinaryReply(result));
  if (result instanceof BinaryReply) {
    const { content, contentType } = result;
    return { contentType, body: Buffer.from(content.buffer, content.byteOffset, content.byteLength) };
  }
  return { contentType: 'application/json', body: Buffer.from(stringifyJson(result)) };
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
