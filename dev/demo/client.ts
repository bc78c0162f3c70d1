import { mintToken, scopes } from '../../shared/auth/tokens.ts';

export type Env = Record<string, string | undefined>;

/** One thing the demo did, and its outcome. */
export interface DemoStep {
  step: string;
  result: string;
  ok: boolean;
  /** Milliseconds from the request until the effect was visible. */
  ms?: number;
}

/** The sample user who uploads. */
export const user = 1;

/** Maximum wait for an effect, in milliseconds. */
export const patienceMs = 60_000;

/** Sends a request as the sample user and returns the response body, parsed if it is JSON. */
export type Call = (method: string, path: string, body?: object) => Promise<unknown>;

/** @throws Error from each call that is answered with an error status. */
export async function createCall(env: Env): Promise<Call> {
  const secret = env['AUTH_JWT_SECRET'] ?? '';
  const token = await mintToken({ secret, sub: String(user), scopes, expiresInSeconds: 600 });
  return async (method, path, body) => {
    const form = body instanceof FormData;
    const response = await fetch(new URL(path, env['HTTP_URL']), {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body && !form && { 'content-type': 'application/json' }),
      },
      ...(body && { body: form ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json');
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return isJson ? JSON.parse(text) : text;
  };
}

/** @returns a function that returns the milliseconds since this call. */
export function stopwatch(): () => number {
  const startedAt = performance.now();
  return () => Math.round(performance.now() - startedAt);
}
