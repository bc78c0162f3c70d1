import type { ErrorCode } from './error-codes.ts';
import { WarrenError } from './errors.ts';

/** A part of a path in a file: a key, an index, or the element of a list that is the n-th with a key. */
export type PathPart = PropertyKey | { having: string; nth: number };

/** What is wrong in a file of settings. */
export interface Problem {
  /** From the top of the file; empty if it concerns the whole. */
  path: readonly PathPart[];
  text: string;
}

/** Several problems of a file as one error. It can add the line of each to its text, if the file is known. */
export class ProblemsError extends WarrenError {
  readonly problems: readonly Problem[];
  readonly #toMessage: (texts: readonly string[]) => string;

  /** @param toMessage joins the texts of the problems. */
  constructor(
    code: ErrorCode,
    problems: readonly Problem[],
    toMessage: (texts: readonly string[]) => string = (texts) => texts.join('\n'),
  ) {
    super(code, toMessage(problems.map(({ text }) => text)));
    this.problems = problems;
    this.#toMessage = toMessage;
  }

  /**
   * The same error with places.
   *
   * @param placeOf returns a place such as `serverless.yml:12:5`; undefined if there is none.
   */
  placed(placeOf: (path: readonly PathPart[]) => string | undefined): ProblemsError {
    const problems = this.problems.map(({ path, text }) => {
      const place = placeOf(path);
      return { path, text: place === undefined ? text : `${place}: ${text}` };
    });
    return new ProblemsError(this.code as ErrorCode, problems, this.#toMessage);
  }
}
