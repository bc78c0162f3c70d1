import type { z } from 'zod';
import { isNetworkError, UnavailableError, WarrenError } from '../base/errors.ts';

/** RabbitMQ's management API (rabbitmq.com/docs/http-api-reference). */
export interface ManagementApi {
  /** @returns undefined if the resource does not exist. */
  get<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined>;
  put(path: string, body: unknown): Promise<void>;
}

/**
 * Returns the header `authorization` for a login that is part of a URL, such as `http://user:password@host:15672`
 * (basic authentication, RFC 7617).
 */
export function basicAuthorization(url: string | URL): string {
  const { username, password } = new URL(url);
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(login).toString('base64')}`;
}

/**
 * Creates a client of the management API. Its methods throw UnavailableError if the API is unavailable, and WarrenError
 * ERR_BROKER_REFUSED if the API refuses the login, or the login lacks a right.
 *
 * @param url URL with the login, such as `http://user:password@host:15672`.
 * @param timeoutMs time limit of each request in milliseconds.
 */
export function managementApi(url: string, timeoutMs: number): ManagementApi {
  const authorization = basicAuthorization(url);
  const base = new URL(url);
  // fetch accepts no login in a URL, and an error would show it.
  Object.assign(base, { username: '', password: '' });
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

/** Returns the virtual host of an AMQP URL as a path of the API contains it. */
export function vhostInPath(amqpUrl: string): string {
  const { pathname } = new URL(amqpUrl);
  return pathname.length > 1 ? pathname.slice(1) : '%2F';
}
