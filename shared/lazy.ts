/**
 * Puts off making a handler until its first call, and keeps it: a cold start pays only for what it uses, and importing
 * a function's module (a test does) reads no environment.
 *
 * @param create makes the handler; when it throws, the next call tries again.
 */
export function whenCalled<Args extends unknown[], Result>(
  create: () => (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  let made: ((...args: Args) => Promise<Result>) | undefined;
  return async (...args) => {
    made ??= create();
    return made(...args);
  };
}
