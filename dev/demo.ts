import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { readSettings } from '../runtime/settings/read.ts';
import { mintToken, scopes } from '../shared/auth/tokens.ts';
import { connectDatabase } from '../shared/database/database.ts';
import { databaseSettings } from '../shared/database/resource.ts';
import { projectFile } from './stack/project.ts';

/** One thing the demo did, and what came of it. */
export interface DemoStep {
  step: string;
  result: string;
  ok: boolean;
  /** Milliseconds from its request until it was seen done. */
  ms?: number;
}

type Env = Record<string, string | undefined>;
type Tell = (text: string) => void;

interface Picture {
  status: string;
  reason: string | null;
  width: number | null;
  height: number | null;
  points: number;
  variants: { width: number; height: number; format: string; bytes: number; url: string }[];
  notifications: { user_id: number; status: string }[];
}

const photo = 'assets/demo.jpg';
/** Of the sample users: who uploads, and how many friends there are to be told. */
const [user, friends] = [1, 3];
const patienceMs = 60_000;

/**
 * Does the main job over HTTP, as any client would: a photograph is uploaded, resized, rewarded and announced, two
 * alerts reach their audiences, a ping comes back over RPC.
 *
 * @param env addresses and keys of a running stack, named as in `.data/stack.env`.
 * @param tell gets a line when something is begun.
 * @returns each step with its outcome; one that failed doesn't keep the others from being tried.
 */
export async function runDemo(env: Env, tell: Tell): Promise<DemoStep[]> {
  const call = await createCall(env);
  const parts = [
    () => pictureSteps(call, tell),
    () => alertSteps(call, env, tell),
    () => pingSteps(call, tell),
  ];
  const steps: DemoStep[] = [];
  for (const part of parts) {
    try {
      steps.push(...(await part()));
    } catch (error) {
      steps.push({ step: 'failed', result: (error as Error).message, ok: false });
    }
  }
  return steps;
}

type Call = (method: string, path: string, body?: object) => Promise<{ status: number; body: unknown }>;

async function createCall(env: Env): Promise<Call> {
  const token = await mintToken({
    secret: env['AUTH_JWT_SECRET'] ?? '',
    sub: String(user),
    scopes,
    expiresInSeconds: 600,
  });
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
    return { status: response.status, body: isJson ? JSON.parse(text) : text };
  };
}

async function pictureSteps(call: Call, tell: Tell): Promise<DemoStep[]> {
  const content = await readFile(projectFile(photo));
  tell(`Uploading ${photo} (${kilobytes(content.length)}) as user ${user}.`);
  const form = new FormData();
  form.set('picture', new Blob([content], { type: 'image/jpeg' }), 'demo.jpg');
  const since = stopwatch();
  const { body } = await call('POST', '/pictures', form);
  const { image_id } = body as { image_id: number };
  const uploaded = { step: 'POST /pictures', result: `picture ${image_id}`, ok: true, ms: since() };

  tell('Waiting until it is resized, rewarded and announced.');
  const done = {
    resized: ({ status }: Picture) => status === 'ready' || status === 'failed',
    rewarded: ({ points }: Picture) => points > 0,
    announced: ({ notifications }: Picture) =>
      notifications.length > 0 && notifications.every(({ status }) => status === 'sent'),
  };
  const after: Partial<Record<keyof typeof done, number>> = {};
  const read = async () => (await call('GET', `/pictures/${image_id}`)).body as Picture;
  let picture = await read();
  const names = Object.keys(done) as (keyof typeof done)[];
  for (;;) {
    for (const name of names) if (done[name](picture)) after[name] ??= since();
    if (names.every((name) => after[name] !== undefined) || since() > patienceMs) break;
    await pause(50);
    picture = await read();
  }
  const sizes = picture.variants.map(({ width, format, bytes }) => `${width} ${format} ${kilobytes(bytes)}`);
  const told = picture.notifications.filter(({ status }) => status === 'sent').length;
  const oriented = (picture.height ?? 0) < (picture.width ?? 0) ? 'landscape' : 'upright';
  const checks: [keyof typeof done, string, boolean][] = [
    [
      'resized',
      picture.reason ?? `${picture.width} x ${picture.height} (${oriented}):\n${inPairs(sizes).join('\n')}`,
      picture.status === 'ready' && picture.variants.length === 8,
    ],
    ['rewarded', `${picture.points} points`, picture.points === 10],
    ['announced', `${told} of ${friends} friends have a mail`, told === friends],
  ];
  const steps = checks.map(([step, result, ok]) => ({
    ...{ step, result },
    ok: ok && after[step] !== undefined,
    ms: after[step] ?? since(),
  }));
  return [uploaded, ...steps, ...(await downloadStep(picture))];
}

/** The link works for a browser, which sends no token. */
async function downloadStep({ variants }: Picture): Promise<DemoStep[]> {
  const variant = variants.find(({ format }) => format === 'webp');
  if (!variant) return [];
  const since = stopwatch();
  const response = await fetch(variant.url, { signal: AbortSignal.timeout(10_000) });
  const { length } = Buffer.from(await response.arrayBuffer());
  const result = `${response.status} ${response.headers.get('content-type')}, ${length} bytes`;
  return [{ step: 'download by its link', result, ok: response.ok && length === variant.bytes, ms: since() }];
}

async function alertSteps(call: Call, env: Env, tell: Tell): Promise<DemoStep[]> {
  tell('Raising critical.rate_limit and info.deploy.');
  const config = readSettings({ database: databaseSettings }, env);
  const db = connectDatabase({ url: config.database.DATABASE_URL, name: 'warren demo', connections: 2 });
  const raise = async (
    routing_key: string,
    message: unknown,
    audiences: readonly string[],
  ): Promise<DemoStep> => {
    const since = stopwatch();
    const { body } = await call('POST', '/alerts', { routing_key, message });
    const { message_id } = body as { message_id: string };
    const keys = audiences.map((audience) => `alert:${audience}:${message_id}`);
    const look = async () => {
      const [mails, row] = await Promise.all([
        db
          .selectFrom('mails')
          .select('recipient')
          .where('key', 'in', ['', ...keys])
          .where('sent_at', 'is not', null)
          .execute(),
        db.selectFrom('alert_log').select('id').where('message_id', '=', message_id).executeTakeFirst(),
      ]);
      return { recipients: mails.map(({ recipient }) => recipient), logged: row !== undefined };
    };
    const complete = ({ recipients, logged }: Awaited<ReturnType<typeof look>>) =>
      logged && recipients.length === audiences.length;
    let seen = await look();
    while (!complete(seen) && since() < patienceMs) {
      await pause(50);
      seen = await look();
    }
    const mailed =
      seen.recipients.length > 0 ? `mailed to ${seen.recipients.sort().join(' and ')}` : 'mailed to nobody';
    const result = `${mailed}, ${seen.logged ? 'logged' : 'not logged'}`;
    return { step: `alert ${routing_key}`, result, ok: complete(seen), ms: since() };
  };
  try {
    return await Promise.all([
      raise('critical.rate_limit', { client: 'demo', requests: 1001, limit: 1000 }, [
        'critical',
        'rate_limit',
      ]),
      raise('info.deploy', 'the demo was deployed', []),
    ]);
  } finally {
    await db.destroy();
  }
}

async function pingSteps(call: Call, tell: Tell): Promise<DemoStep[]> {
  tell('Pinging over RPC.');
  const time = Date.now() / 1000;
  const since = stopwatch();
  const { body } = await call('POST', '/rpc/ping', { client_name: 'warren demo', time });
  return [{ step: 'POST /rpc/ping', result: String(body), ok: body === `Pong!${time}`, ms: since() }];
}

function stopwatch(): () => number {
  const startedAt = performance.now();
  return () => Math.round(performance.now() - startedAt);
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(0)} kB`;

function inPairs(texts: readonly string[]): string[] {
  return texts.flatMap((text, index) =>
    index % 2 === 0 ? [[text, texts[index + 1]].filter(Boolean).join(', ')] : [],
  );
}
