/**
 * Creates a handler at its first call, and keeps it. A cold start pays only for what it uses, and importing a function's
 * module (as a test does) reads no environment.
 *
 * @param create creates the handler once for all calls; if it throws, the next call tries again.
 */
export function whenCalled<Args extends unknown[], Result>(
  create: () => Promise<(...args: Args) => Promise<Result>>,
): (...args: Args) => Promise<Result> {
  let made: Promise<(...args: Args) => Promise<Result>> | undefined;
  return async (...args) => {
    made ??= create();
    const making = made;
    const handle = await making.catch((error: unknown) => {
      // Another call may have started again by now.
      if (made === making) made = undefined;
      throw error;
    });
    return handle(...args);
  };
}
