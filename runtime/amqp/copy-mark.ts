/**
 * Marks the copy of a message, which keeps the headers about the way of its original. A symbol, because it stays on a copy of the
 * object, and because no message of a function has it. Two copies of this package in one process recognize each other's: a publisher of
 * one would otherwise take the attempts from the retries of the other, which would never end.
 */
export const copyMark = Symbol.for('warren.copy.1');
