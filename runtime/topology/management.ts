import { z } from 'zod';
import { decode, parseAddress } from '../amqp/address.ts';
import { isNetworkError, UnavailableError, WarrenError } from '../base/errors.ts';

/** RabbitMQ's management API (rabbitmq.com/docs/http-api-reference). */
export interface ManagementApi {
  /** @returns undefined if the resource does not exist. */
  get<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined>;
  put(path: string, body: unknown): Promise<void>;
  /** A resource that does not exist is no error. */
  delete(path: string): Promise<void>;
}

/**
 * Returns the header `authorization` for a login that is part of a URL, such as `http://user:password@host:15672`
 * (basic authentication, RFC 7617).
 *
 * @throws WarrenError ERR_CONFIG if it is not a URL. The error does not contain it, because of the password.
 */
export function basicAuthorization(url: string | URL): string {
  const { username, password } = parse(url);
  const login = `${decode(username)}:${decode(password)}`;
  return `Basic ${Buffer.from(login).toString('base64')}`;
}

/**
 * Creates a client of the management API. Its methods throw UnavailableError if the API is unavailable, and WarrenError
 * ERR_BROKER_REFUSED if the API refuses the login, or the login lacks a right.
 *
 * @param url URL with the login, such as `http://user:password@host:15672`.
 * @param timeoutMs time limit of each request in milliseconds.
 * @throws WarrenError ERR_CONFIG if the URL is invalid.
 */
export function managementApi(url: string, timeoutMs: number): ManagementApi {
  const authorization = basicAuthorization(url);
  const base = new URL(parse(url));
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
    if (response.status === 404 && method !== 'PUT') return undefined;
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
    async delete(path) {
      await (await request('DELETE', path))?.body?.cancel();
    },
  };
}

/** @returns RabbitMQ's version, such as `4.3.1`. */
export async function readVersion(api: ManagementApi): Promise<string> {
  const overview = await api.get('overview', z.object({ rabbitmq_version: z.string() }));
  return overview?.rabbitmq_version ?? '';
}

/**
 * Returns the virtual host of an AMQP URL as a path of the API contains it.
 *
 * @throws WarrenError ERR_CONFIG if the URL is invalid.
 */
export function vhostInPath(amqpUrl: string): string {
  return encodeURIComponent(parseAddress(amqpUrl).vhost);
}

function parse(url: string | URL): URL {
  if (typeof url !== 'string') return url;
  if (URL.canParse(url)) return new URL(url);
  const expected = 'expected a URL such as http://user:password@host:15672';
  throw new WarrenError('ERR_CONFIG', `AMQP_MANAGEMENT_URL: ${expected}, got text that is not a URL`);
}
