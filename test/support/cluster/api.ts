import { request } from 'node:https';
import type { KubernetesObject } from '../helm/chart.ts';

export interface ApiAnswer<Body> {
  status: number;
  body: Body;
}

/** What the API answers to a refused request. */
export interface Refusal {
  kind: 'Status';
  reason: string;
  message: string;
}

interface RequestOptions {
  body?: object;
  /** Media type of the body, `application/json` by default. */
  type?: string;
  /** The service account to act as. */
  as?: { namespace: string; name: string };
}

/** A client of Kubernetes' API as an administrator. */
export class KubernetesApi {
  readonly #address: string;
  readonly #token: string;
  readonly #certificate: () => Promise<Buffer>;

  /**
   * @param address of the server, https://host:port.
   * @param token of the administrator.
   * @param certificate reads the server's own certificate.
   */
  constructor(address: string, token: string, certificate: () => Promise<Buffer>) {
    this.#address = address;
    this.#token = token;
    this.#certificate = certificate;
  }

  /** Sends a request. */
  async request<Body = Refusal>(
    method: string,
    path: string,
    { body, type = 'application/json', as }: RequestOptions = {},
  ): Promise<ApiAnswer<Body>> {
    const headers: Record<string, string | string[]> = { authorization: `Bearer ${this.#token}` };
    if (body) headers['content-type'] = type;
    if (as) {
      const groups = ['system:serviceaccounts', `system:serviceaccounts:${as.namespace}`];
      headers['impersonate-user'] = `system:serviceaccount:${as.namespace}:${as.name}`;
      headers['impersonate-group'] = [...groups, 'system:authenticated'];
    }
    const ca = await this.#certificate();
    return new Promise((resolve, reject) => {
      const sent = request(`${this.#address}${path}`, { method, headers, ca }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.on('error', reject);
        answer.on('end', () => {
          const isJson = answer.headers['content-type']?.startsWith('application/json');
          resolve({ status: answer.statusCode ?? 0, body: (isJson ? JSON.parse(text) : text) as Body });
        });
      });
      sent.on('error', reject);
      sent.end(body && JSON.stringify(body));
    });
  }

  /** As `request`, for a request that has to succeed. @throws Error with the server's words. */
  async ask<Body>(method: string, path: string, options: RequestOptions = {}): Promise<Body> {
    const { status, body } = await this.request<Body>(method, path, options);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(body)}`);
    return body;
  }

  /** The objects of a kind, such as `/api/v1/namespaces/a/pods`. */
  async list<Kind extends KubernetesObject>(path: string): Promise<Kind[]> {
    const { items } = await this.ask<{ items: Kind[] }>('GET', path);
    return items;
  }

  /** The path of an object's kind in a namespace, as the server's discovery has it. */
  async pathOf(object: KubernetesObject, namespace: string): Promise<string> {
    const { apiVersion, kind } = object;
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const { resources } = await this.ask<{ resources: { name: string; kind: string }[] }>('GET', root);
    const found = resources.find((each) => each.kind === kind && !each.name.includes('/'));
    if (!found) throw new Error(`${apiVersion}: expected the kind ${kind}`);
    return `${root}/namespaces/${namespace}/${found.name}`;
  }

  /**
   * Applies an object as `kubectl apply --server-side --validate=strict` does: an unknown or repeated field is an error.
   *
   * @param dryRun whether the server checks and admits it without keeping it.
   * @returns the server's objection, or undefined if it took the object.
   */
  async apply(object: KubernetesObject, namespace: string, dryRun = false): Promise<string | undefined> {
    const path = `${await this.pathOf(object, namespace)}/${object.metadata.name}`;
    const query = `fieldManager=test&fieldValidation=Strict${dryRun ? '&dryRun=All' : ''}`;
    const type = 'application/apply-patch+yaml';
    const { status, body } = await this.request('PATCH', `${path}?${query}`, { body: object, type });
    return status < 300 ? undefined : `${object.kind} ${object.metadata.name}: ${body.message}`;
  }
}
