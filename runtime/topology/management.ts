import type { z } from 'zod';
import { isNetworkError, UnavailableError, WarrenError } from '../base/errors.ts';

/** RabbitMQ's management API (rabbitmq.com/docs/http-api-reference). */
export interface ManagementApi {
  /** @returns undefined where there is no such thing. */
  get<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined>;
  put(path: string, body: unknown): Promise<void>;
}

/**
 * Makes a client of the management API. Its methods throw UnavailableError where the API is away, and WarrenError
 * ERR_BROKER_REFUSED where it refuses the login or what the login wants.
 *
 * @param url with the login, such as `http://user:password@host:15672`.
 * @param timeoutMs for each request.
 */
export function managementApi(url: string, timeoutMs: number): ManagementApi {
  const { username, password } = new URL(url);
  const base = new URL(url);
  // fetch takes no login in a URL, and an error would show it.
  Object.assign(base, { username: '', password: '' });
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = `Basic ${Buffer.from(login).toString('base64')}`;
  const request = async (method: string, path: string, body?: unknown): Promise<Response | undefined> => {
    const response = await fetch(`${base.href.replace(/\/$/, '')}/api/${path}`, {
      method,
      headers: { authorization, ...(body !== undefined && { 'content-type': 'application/json' }) },
      signal: AbortSignal.timeout(timeoutMs),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).catch((cause: unknown) => {
      const late = cause instanceof Error && cause.name === 'TimeoutError';
      if (!late && !isNetworkError(cause)) throw cause;
      throw new UnavailableError('broker', `its management API at ${base.host} does not answer`, { cause });
    });
    if (response.ok) return response;
    await response.body?.cancel();
    if (response.status === 404 && method === 'GET') return undefined;
    const what = `the management API at ${base.host} answered ${response.status} to ${method} ${path}`;
    if (response.status === 401 || response.status === 403) throw new WarrenError('ERR_BROKER_REFUSED', what);
    throw new UnavailableError('broker', what);
  };
  return {
    async get(path, schema) {
      const response = await request('GET', path);
      return response && schema.parse(await response.json());
    },
    async put(path, body) {
      await (await request('PUT', path, body))?.body?.cancel();
    },
  };
}

/** How a path names the virtual host of an AMQP URL. */
export function vhostInPath(amqpUrl: string): string {
  const { pathname } = new URL(amqpUrl);
  return pathname.length > 1 ? pathname.slice(1) : '%2F';
}
