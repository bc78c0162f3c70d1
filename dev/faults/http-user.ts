import { mintToken, scopes } from '../../shared/auth/tokens.ts';
import type { StackEnv } from '../stack/stack-env.ts';

/** Sends a user's request to `warren serve`. It rejects if no answer comes in time. */
export type HttpUser = (
  path: string,
  request: { method: string; body: FormData | string; headers?: Record<string, string>; timeoutMs: number },
  userId?: number,
) => Promise<{ status: number; text: string }>;

export function createHttpUser({ HTTP_URL, AUTH_JWT_SECRET: secret }: StackEnv): HttpUser {
  return async (path, { timeoutMs, headers, ...request }, userId = 1) => {
    const token = await mintToken({ secret, sub: String(userId), scopes, expiresInSeconds: 3600 });
    const response = await fetch(new URL(path, HTTP_URL), {
      ...request,
      headers: { ...headers, authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: response.status, text: await response.text() };
  };
}
