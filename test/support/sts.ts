import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { SignatureV4 } from '@smithy/signature-v4';
import type { TokenIssuer } from './token-issuer.ts';

export const credentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI',
  sessionToken: 'to+ken/with=',
};
export const region = 'eu-west-1';

export interface Sts {
  endpoint: string;
  /** The forms of the calls so far. */
  calls: Record<string, string>[];
  /** The error that it answers with, such as `Throttling`, and its status. */
  error?: { code: string; status: number } | undefined;
  close(): Promise<void>;
}

/** STS's `GetWebIdentityToken`, with the tokens of an issuer. A call that AWS's own signer would sign differently is refused. */
export async function startSts(issuer: TokenIssuer, role: string): Promise<Sts> {
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const form = new URLSearchParams(body);
    sts.calls.push(Object.fromEntries(form));
    const answer = (status: number, xml: string) =>
      response.writeHead(status, { 'content-type': 'text/xml' }).end(xml);
    const isSigned = request.headers.authorization === (await awsAuthorization(request, body));
    const error = isSigned ? sts.error : { code: 'SignatureDoesNotMatch', status: 403 };
    if (error) {
      const fields = `<Type>Sender</Type><Code>${error.code}</Code><Message>no</Message>`;
      return answer(error.status, `<ErrorResponse><Error>${fields}</Error></ErrorResponse>`);
    }
    const token = await issuer.sign({ sub: role }, form.get('Audience.member.1') ?? '');
    const expires = new Date(Date.now() + issuer.lifetime * 1000).toISOString();
    const fields = `<WebIdentityToken>${token}</WebIdentityToken><Expiration>${expires}</Expiration>`;
    return answer(
      200,
      `<GetWebIdentityTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
         <GetWebIdentityTokenResult>${fields}</GetWebIdentityTokenResult>
       </GetWebIdentityTokenResponse>`,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sts: Sts = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: [],
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return sts;
}

/** The header that AWS's own signer makes for a request, from the headers that were signed. */
async function awsAuthorization({ headers }: IncomingMessage, body: string): Promise<string | undefined> {
  const names = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? [];
  const signed = Object.fromEntries(names.map((name) => [name, String(headers[name])]));
  const date = String(headers['x-amz-date']).replace(/^(....)(..)(..T..)(..)/, '$1-$2-$3:$4:');
  const signer = new SignatureV4({
    service: 'sts',
    region,
    credentials,
    sha256: Sha256,
    applyChecksum: false,
  });
  const [hostname = '', port] = String(headers.host).split(':');
  const request = { method: 'POST', protocol: 'http:', hostname, port: Number(port), path: '/', body };
  const { headers: made } = await signer.sign(
    { ...request, headers: signed, query: {} },
    { signingDate: new Date(date), signableHeaders: new Set(names) },
  );
  return made['authorization'];
}

/** SHA-256 as AWS's signer takes it. */
export class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    const key = secret as string | Uint8Array | undefined;
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key);
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return new Uint8Array(this.#hash.digest());
  }
  reset(): void {}
}
