import { inject } from 'vitest';

/** The addresses and keys of the parts this run of the tests brought up, named as in `.data/stack.env`. */
export const stack = inject('stack');
