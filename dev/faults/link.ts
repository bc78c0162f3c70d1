import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { pipeline, Transform } from 'node:stream';

/** Stands between a client and a server, and is the network that fails. */
class Link {
  readonly #target: { host: string; port: number };
  readonly #pairs = new Set<[Socket, Socket]>();
  #server: Server | undefined;
  #port = 0;
  #delayMs = 0;
  #hangs = false;
  #answer: Buffer | undefined;
  opened = 0;

  /** @param target address that data is forwarded to. */
  constructor(target: { host: string; port: number }) {
    this.#target = target;
  }

  get port(): number {
    return this.#port;
  }

  /** Takes connections, on the port it had before. */
  async open(): Promise<void> {
    const server = createServer((socket) => this.#pass(socket));
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** The peer is gone: open connections are cut and new ones refused. */
  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    server.close();
    this.cut();
    await once(server, 'close');
  }

  /** Cuts what is open; new connections are fine. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** What is open gets nothing through any more, and no end either; new connections are fine. */
  freeze(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.pause().unpipe();
  }

  /** What is open gets nothing through from the server any more, and everything to it; new connections are fine. */
  freezeAnswers(): void {
    for (const [, onward] of this.#pairs) onward.pause().unpipe();
  }

  /** The server accepts connections and answers nothing, until it is `false` again. */
  hang(hangs: boolean): void {
    this.#hangs = hangs;
    this.cut();
  }

  /** Answers each request in place of the server, until it is undefined again. */
  answer(answer: Buffer | undefined): void {
    this.#answer = answer;
    this.cut();
  }

  /** From now on everything takes so much longer, each way. */
  slow(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  #pass(socket: Socket): void {
    if (this.#hangs || this.#answer) this.#passNothing(socket, this.#answer);
    else this.#passOn(socket);
  }

  #passOn(socket: Socket): void {
    this.opened += 1;
    const onward = connect({ ...this.#target, noDelay: true });
    socket.setNoDelay(true);
    const pair: [Socket, Socket] = [socket, onward];
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      socket.destroy();
      onward.destroy();
    };
    // If one half ends, the other ends too, because our protocols do not use half-open connections.
    for (const each of pair) each.on('error', end).on('close', end);
    pipeline(socket, this.#wait(), onward, () => undefined);
    pipeline(onward, this.#wait(), socket, () => undefined);
  }

  #passNothing(socket: Socket, answer: Buffer | undefined): void {
    const pair: [Socket, Socket] = [socket, socket];
    this.#pairs.add(pair);
    socket.on('error', () => undefined).on('close', () => this.#pairs.delete(pair));
    // One answer for each connection; the client opens another one for its next request.
    if (answer) socket.once('data', () => socket.end(answer));
    else socket.resume();
  }

  #wait(): Transform {
    return new Transform({
      transform: (chunk, _encoding, done) => {
        if (this.#delayMs === 0) done(null, chunk);
        else setTimeout(done, this.#delayMs, null, chunk);
      },
    });
  }
}

/** Links to the nodes of one part, to be struck together. */
export class Links {
  readonly #links: readonly Link[];

  constructor(links: readonly Link[]) {
    this.#links = links;
  }

  /** Connections that were passed on, from the first one. */
  get opened(): number {
    return this.#links.reduce((sum, { opened }) => sum + opened, 0);
  }

  /** As `Link` does it, each of them. */
  async open(): Promise<void> {
    await Promise.all(this.#links.map((link) => link.open()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#links.map((link) => link.close()));
  }

  cut(): void {
    for (const link of this.#links) link.cut();
  }

  freeze(): void {
    for (const link of this.#links) link.freeze();
  }

  freezeAnswers(): void {
    for (const link of this.#links) link.freezeAnswers();
  }

  hang(hangs: boolean): void {
    for (const link of this.#links) link.hang(hangs);
  }

  answer(answer: Buffer | undefined): void {
    for (const link of this.#links) link.answer(answer);
  }

  slow(delayMs: number): void {
    for (const link of this.#links) link.slow(delayMs);
  }
}

/**
 * Links that are open, and the addresses that lead through them.
 *
 * @param urls addresses, separated by commas.
 */
export async function linked(urls: string): Promise<{ links: Links; url: string }> {
  const ways = await Promise.all(urls.split(',').map(way));
  return { links: new Links(ways.map(({ link }) => link)), url: ways.map(({ url }) => url).join(',') };
}

async function way(url: string): Promise<{ link: Link; url: string }> {
  const target = new URL(url);
  const link = new Link({ host: target.hostname, port: Number(target.port) });
  await link.open();
  target.port = String(link.port);
  return { link, url: target.href };
}
