import * as z from 'zod';
import { WarrenError } from '../base/errors.ts';
import { problemsOf } from '../base/schema-problems.ts';

/** A method of RPC that HTTP may reach, and its limits. */
export interface HttpMethod {
  /** Scope that the caller's token must have. */
  scope: string;
  /** Bytes of a request. */
  maxBytes: number;
  /** Seconds for the reply. */
  timeout: number;
  /** Calls of each user: a number and `/second`, `/minute` or `/hour`, or `off`. */
  rate: string;
}

/** By the name of the method. */
export type HttpMethods = Readonly<Record<string, HttpMethod>>;

/** The environment variable with `custom.warren.methods`, for the functions that answer over HTTP. */
export const methodsVariable = 'WARREN_METHODS';

/** The variable's text; undefined if there are no methods. */
export function methodsText(methods: HttpMethods): string | undefined {
  return Object.keys(methods).length === 0 ? undefined : JSON.stringify(methods);
}

const schema = () =>
  z.record(
    z.string(),
    z.object({ scope: z.string(), maxBytes: z.int(), timeout: z.number(), rate: z.string() }),
  );

/**
 * Reads the methods that the plugin put into the environment.
 *
 * @returns no methods without the variable.
 * @throws WarrenError ERR_CONFIG if the variable contains anything else.
 */
export function readMethods(env: Readonly<Record<string, string | undefined>> = process.env): HttpMethods {
  const text = env[methodsVariable];
  if (!text) return {};
  const result = schema().safeParse(parsed(text));
  if (result.success) return result.data;
  throw new WarrenError('ERR_CONFIG', `${methodsVariable}: ${problemsOf(result.error).join('; ')}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WarrenError('ERR_CONFIG', `${methodsVariable}: expected JSON`, { cause });
  }
}
