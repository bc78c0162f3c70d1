/**
 * Puts off making a handler until its first call, and keeps it: a cold start pays only for what it uses, and importing
 * a function's module (a test does) reads no environment.
 *
 * @param create makes the handler, once for all calls; when it throws, the next call tries again.
 */
export function whenCalled<Args extends unknown[], Result>(
  create: () => Promise<(...args: Args) => Promise<Result>>,
): (...args: Args) => Promise<Result> {
  let made: Promise<(...args: Args) => Promise<Result>> | undefined;
  return async (...args) => {
    made ??= create();
    const making = made;
    const handle = await making.catch((error: unknown) => {
      // Another call may be at it again by now.
      if (made === making) made = undefined;
      throw error;
    });
    return handle(...args);
  };
}
