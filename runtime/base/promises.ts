/** Whether a value has to be awaited. An `await` of any other value costs as much as a promise. */
export function isPromise<Value>(value: Value | PromiseLike<Value>): value is PromiseLike<Value> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** Continues with a value: at once, or when it is there. */
export function after<From, To>(
  value: From | PromiseLike<From>,
  next: (value: From) => To | PromiseLike<To>,
): To | PromiseLike<To> {
  return isPromise(value) ? value.then(next) : next(value);
}
