import * as z from 'zod';
import { parseAddress } from '../amqp/address.ts';
import { type ManagementAddress, parseManagementUrl } from '../amqp/management-url.ts';
import { readTls } from '../amqp/tls-files.ts';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { sendManagement } from './management-request.ts';

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
  return authorizationOf(parseManagementUrl(String(url)));
}

const authorizationOf = ({ username, password }: ManagementAddress): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

/**
 * Creates a client of the management API. Its methods throw UnavailableError if the API is unavailable, and WarrenError
 * ERR_BROKER_REFUSED if the API refuses the login, or the login lacks a right.
 *
 * @param url URL with the login, such as `http://user:password@host:15672`; with `https`, also with the TLS parameters of AMQP.
 * @param timeoutMs time limit of each request in milliseconds.
 * @throws WarrenError ERR_CONFIG if the URL is invalid. Each method throws it if a file for TLS cannot be read.
 */
export function managementApi(url: string, timeoutMs: number): ManagementApi {
  const address = parseManagementUrl(url);
  const { label, secure, parameters } = address;
  const authorization = authorizationOf(address);
  const request = async (method: string, path: string, content?: unknown): Promise<string | undefined> => {
    const tls = secure ? await readTls(parameters) : {};
    const body = content === undefined ? undefined : JSON.stringify(content);
    const sent = { method, path, body, authorization, signal: AbortSignal.timeout(timeoutMs) };
    const response = await sendManagement(address, sent, tls).catch((cause: unknown) => {
      throw new UnavailableError('broker', `its management API at ${label} does not answer`, { cause });
    });
    if (response.status >= 200 && response.status < 300) return response.body;
    if (response.status === 404 && method !== 'PUT') return undefined;
    const what = `the management API at ${label} answered ${response.status} to ${method} ${path}`;
    if (response.status === 401 || response.status === 403) throw new WarrenError('ERR_BROKER_REFUSED', what);
    throw new UnavailableError('broker', what);
  };
  return {
    async get(path, schema) {
      const body = await request('GET', path);
      return body === undefined ? undefined : schema.parse(JSON.parse(body));
    },
    async put(path, body) {
      await request('PUT', path, body);
    },
    async delete(path) {
      await request('DELETE', path);
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
