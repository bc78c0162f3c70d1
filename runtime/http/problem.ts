import { UnavailableError } from '../base/errors.ts';

/** An answer that is an error, as RFC 9457 has it. What it says is for the client: no path, no credential, no stack. */
export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly extensions: Readonly<Record<string, string>>;

  /**
   * @param status HTTP status.
   * @param title the same for every problem of this kind.
   * @param detail what is wrong this time: the field, what was expected, what came.
   * @param extensions further members of the body, which tell a program what to do about it.
   */
  constructor(
    status: number,
    title: string,
    detail?: string,
    headers: Record<string, string> = {},
    extensions: Record<string, string> = {},
  ) {
    super(detail ?? title);
    this.name = 'Problem';
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.headers = headers;
    this.extensions = extensions;
  }
}

/** The problem that an error is to a client; what it doesn't know of stays in the log. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof UnavailableError) {
    return new Problem(503, 'Unavailable', `${error.dependency}: away for now; try again`, {
      'retry-after': '5',
    });
  }
  return new Problem(500, 'Internal Server Error');
}

/** The body of an answer with this problem; its media type is `application/problem+json`. */
export function problemBody({ status, title, detail, extensions }: Problem): Record<string, unknown> {
  return { type: 'about:blank', title, status, ...(detail !== undefined && { detail }), ...extensions };
}
