import * as z from 'zod';

/** A method of RPC that HTTP may reach. */
export const methodField = () =>
  z.strictObject({
    scope: z.string().min(1).default('rpc:call').describe("Scope that the caller's token must have."),
    maxBytes: z.int().min(1).max(4_194_304).default(65_536).describe('Bytes of a request.'),
    timeout: z
      .number()
      .positive()
      .max(29)
      .default(10)
      .describe('Seconds for the reply; an HTTP API ends a request after 30.'),
    rate: z
      .string()
      .regex(/^([1-9]\d{0,4}\/(second|minute|hour)|off)$/, {
        error: 'expected a number and its period, such as 600/minute (or second, or hour), or off',
      })
      .default('600/minute')
      .describe('Calls of each user.'),
  });
