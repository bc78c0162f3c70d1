import { SourceMap, type SourceMapPayload } from 'node:module';
import { expect } from 'vitest';
import { WebSocket } from 'ws';

interface Script {
  scriptId: string;
  url: string;
  sourceMapURL?: string;
}

interface Location {
  scriptId: string;
  lineNumber: number;
  columnNumber: number;
}

interface Paused {
  callFrames: { callFrameId: string; location: Location }[];
}

/**
 * A debugger that attaches to a process as editors do: it reads the source maps of the scripts, sets breakpoints in lines of sources,
 * and resumes.
 *
 * @see https://chromedevtools.github.io/devtools-protocol/v8/Debugger/
 */
export class Debugger {
  readonly #socket: WebSocket;
  readonly #url: string;
  readonly #scripts = new Map<string, Script>();
  readonly #answers = new Map<number, (answer: { result?: unknown; error?: { message: string } }) => void>();
  #paused: Paused | undefined;

  private constructor(socket: WebSocket, url: string) {
    this.#socket = socket;
    this.#url = url;
    socket.on('message', (data) => this.#take(JSON.parse(String(data))));
    socket.on('close', () => {
      for (const answer of this.#answers.values()) answer({ error: { message: 'the process has ended' } });
    });
  }

  /**
   * Waits until a process listens at the port, and attaches to it.
   *
   * @param former of an earlier process, which may keep the port for a moment.
   */
  static async attach(port: number, former?: Debugger): Promise<Debugger> {
    let url = '';
    const known = former ? former.#url : '';
    const find = async () => {
      const response = await fetch(`http://127.0.0.1:${port}/json/list`).catch(() => undefined);
      const [target] = ((await response?.json().catch(() => [])) ?? []) as { webSocketDebuggerUrl: string }[];
      url = target?.webSocketDebuggerUrl ?? '';
      return url !== '' && url !== known;
    };
    await expect.poll(find, { timeout: 60_000 }).toBe(true);
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const attached = new Debugger(socket, url);
    await attached.#ask('Debugger.enable');
    return attached;
  }

  /** Sets a breakpoint in a line of a source, from 1. */
  async breakAt(source: string, line: number): Promise<void> {
    const find = () => [...this.#scripts.values()].find((script) => generated(script, source, line));
    await expect.poll(find, { timeout: 60_000 }).toBeDefined();
    const script = find() as Script;
    await this.#ask('Debugger.setBreakpointByUrl', { url: script.url, ...generated(script, source, line) });
  }

  /** Waits for a breakpoint, and returns the source and the line that it is in. */
  async paused(): Promise<string> {
    await expect.poll(() => this.#paused, { timeout: 60_000 }).toBeDefined();
    const at = this.#paused?.callFrames[0]?.location;
    const entry = at && mapOf(this.#scripts.get(at.scriptId))?.findEntry(at.lineNumber, at.columnNumber);
    return entry && 'originalSource' in entry
      ? `${entry.originalSource.replace(/^(\.\.\/)+/, '')}:${entry.originalLine + 1}`
      : '';
  }

  /** The value of an expression: if the process is paused, with the variables of the function that it is in. */
  async evaluate(expression: string): Promise<unknown> {
    const callFrameId = this.#paused?.callFrames[0]?.callFrameId;
    const { result } = (await this.#ask(
      callFrameId ? 'Debugger.evaluateOnCallFrame' : 'Runtime.evaluate',
      callFrameId ? { callFrameId, expression } : { expression },
    )) as { result: { value: unknown } };
    return result.value;
  }

  async resume(): Promise<void> {
    this.#paused = undefined;
    await this.#ask('Debugger.resume');
  }

  close(): void {
    this.#socket.close();
  }

  #ask(method: string, params: object = {}): Promise<unknown> {
    const id = this.#answers.size + 1;
    return new Promise((resolve, reject) => {
      this.#answers.set(id, ({ result, error }) =>
        error ? reject(new Error(`${method}: ${error.message}`)) : resolve(result),
      );
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  #take(message: { id?: number; method?: string; params?: Script & Paused; result?: unknown }): void {
    const { id, method, params } = message;
    if (id !== undefined) this.#answers.get(id)?.(message);
    else if (method === 'Debugger.scriptParsed' && params) this.#scripts.set(params.scriptId, params);
    else if (method === 'Debugger.paused') this.#paused = params;
  }
}

function mapOf({ sourceMapURL = '' }: Partial<Script> = {}): SourceMap | undefined {
  const [, base64] = /^data:application\/json;base64,(.+)$/.exec(sourceMapURL) ?? [];
  if (base64 === undefined) return undefined;
  return new SourceMap(JSON.parse(Buffer.from(base64, 'base64').toString()) as SourceMapPayload);
}

/** The first place of a line of a source in a script. */
function generated(script: Script, source: string, line: number) {
  const map = mapOf(script);
  if (!map?.payload.sources.some((each) => each.endsWith(source))) return undefined;
  for (let lineNumber = 0; lineNumber < 10_000; lineNumber += 1) {
    for (let columnNumber = 0; columnNumber < 20; columnNumber += 1) {
      const entry = map.findEntry(lineNumber, columnNumber);
      if (!('originalSource' in entry) || !entry.originalSource.endsWith(source)) continue;
      if (entry.originalLine + 1 === line && entry.generatedLine === lineNumber)
        return { lineNumber, columnNumber: entry.generatedColumn };
    }
  }
  return undefined;
}
