import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '../../base/log.ts';
import { FunctionLateError } from '../../event-source/invoke.ts';
import { defaultBodyBytes, tooLarge } from '../../http/body-limit.ts';
import { Problem, problemAnswer } from '../../http/problem.ts';

/** Answers a request with an error of the host's own as problem+json, and logs it if it is the host's fault. */
export function sendError(log: Log, error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toProblem(error, request);
  if (problem.status >= 500) {
    log.error(
      { method: request.method, path: pathOf(request), requestId: request.id, err: error },
      problem.title,
    );
  }
  if (!request.raw.complete) {
    // A client that is still sending would be cut off before it reads the answer: the rest is read and dropped, within the
    // time limit of the request.
    reply.removeHeader('connection');
    request.raw.resume();
  }
  send(reply, problem);
}

/** Answers a request for which there is no route. */
export function sendNoRoute(request: FastifyRequest, reply: FastifyReply): void {
  const detail = `${request.method} ${pathOf(request)}: expected one of the routes`;
  send(reply, new Problem(404, 'No such route', detail));
}

/** The path without the query, which may contain a token. */
export const pathOf = ({ url }: FastifyRequest): string => url.split('?')[0] ?? '';

function toProblem(error: unknown, { routeOptions, headers }: FastifyRequest): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof FunctionLateError) return new Problem(504, 'No answer in time');
  const { statusCode = 500, message = '' } = error as { statusCode?: number; message?: string };
  if (statusCode === 413) {
    const announced = headers['content-length'];
    return tooLarge(
      routeOptions.bodyLimit ?? defaultBodyBytes,
      announced === undefined ? undefined : Number(announced),
    );
  }
  return statusCode < 500
    ? new Problem(statusCode, 'Malformed request', message)
    : new Problem(500, 'Internal Server Error');
}

function send(reply: FastifyReply, problem: Problem): void {
  const { statusCode, headers, body } = problemAnswer(problem);
  reply.code(statusCode).headers(headers).send(Buffer.from(body));
}
