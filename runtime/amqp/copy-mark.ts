/**
 * Marks the copy of a message, which keeps the headers about the way of its original. A symbol, because it stays on a copy of the
 * object, and because no message of a function has it.
 */
export const copyMark = Symbol('copy of a message');
