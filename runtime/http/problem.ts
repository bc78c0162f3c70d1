import { askedSeconds } from '../base/asked-pause.ts';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { stringifyJson } from '../base/json.ts';
import { isUnavailable } from '../base/unavailable.ts';

/** An answer that is an error (RFC 9457). Its text is for the client: it contains no path, no credential, no stack trace. */
export class Problem extends WarrenError {
  override name = 'Problem';
  readonly status: number;
  readonly title: string;
  readonly detail: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly extensions: Readonly<Record<string, unknown>>;

  /**
   * @param status HTTP status.
   * @param title the same for every problem of this kind.
   * @param detail the problem of this request: the field, what was expected, what came.
   * @param extensions further members of the body, for the client's program.
   */
  constructor(
    status: number,
    title: string,
    detail?: string,
    headers: Record<string, string> = {},
    extensions: Record<string, unknown> = {},
  ) {
    super('ERR_PROBLEM', detail ?? title);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.headers = headers;
    this.extensions = extensions;
  }
}

/** The problem that a client gets for an error; the details of an unexpected one stay in the log. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (!isUnavailable(error)) return new Problem(500, 'Internal Server Error');
  return new Problem(503, 'Unavailable', `${dependencyOf(error)}: unavailable for now; try again`, {
    'retry-after': String(Math.max(1, Math.ceil(askedSeconds(error) ?? 5))),
  });
}

function dependencyOf(error: unknown): string {
  if (error instanceof UnavailableError) return error.dependency;
  // A rotated password: the broker and the setting change one after the other.
  const isBroker = error instanceof WarrenError && error.code === 'ERR_BROKER_REFUSED';
  return isBroker ? 'broker' : 'a dependency';
}

/** The body of an answer with this problem; its media type is `application/problem+json`. */
export function problemBody({ status, title, detail, extensions }: Problem): Record<string, unknown> {
  return { type: 'about:blank', title, status, ...(detail !== undefined && { detail }), ...extensions };
}

/** The answer with this problem, as a function of a route returns it (payload format 2.0). */
export function problemAnswer(problem: Problem) {
  return {
    statusCode: problem.status,
    headers: {
      'cache-control': 'no-store',
      ...problem.headers,
      'content-type': 'application/problem+json',
    },
    body: stringifyJson(problemBody(problem)),
  };
}
