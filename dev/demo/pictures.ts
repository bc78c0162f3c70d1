import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { readSettings } from '../../runtime/settings/read.ts';
import { connectDatabase } from '../../shared/database/database.ts';
import { databaseSettings } from '../../shared/database/resource.ts';
import { projectFile } from '../stack/project.ts';
import { type Call, type DemoStep, type Env, patienceMs, stopwatch, user } from './client.ts';

interface Picture {
  status: string;
  reason: string | null;
  width: number | null;
  height: number | null;
  points: number;
  variants: { width: number; height: number; format: string; bytes: number; url: string }[];
  friends_notified_at: string | null;
}

const photo = 'assets/demo.jpg';
/** Number of friends of the sample user; each gets a mail. */
const friends = 3;

/** The effects of an upload. */
const effects = {
  resized: ({ status }: Picture) => status === 'ready' || status === 'failed',
  rewarded: ({ points }: Picture) => points > 0,
  announced: ({ friends_notified_at }: Picture) => friends_notified_at !== null,
};
type Effect = keyof typeof effects;

/** Uploads a photograph, waits until it is resized, rewarded and announced, and downloads a variant. */
export async function pictureSteps(
  call: Call,
  env: Env,
  report: (text: string) => void,
): Promise<DemoStep[]> {
  const content = await readFile(projectFile(photo));
  report(`Uploading ${photo} (${kilobytes(content.length)}) as user ${user}.`);
  const form = new FormData();
  form.set('picture', new Blob([content], { type: 'image/jpeg' }), 'demo.jpg');
  const since = stopwatch();
  const { image_id } = (await call('POST', '/pictures', form)) as { image_id: number };
  const uploaded = { step: 'POST /pictures', result: `picture ${image_id}`, ok: true, ms: since() };

  report('Waiting until it is resized, rewarded and announced.');
  const { picture, after } = await waitForEffects(call, image_id, since);
  const steps = checks(picture).map(([step, result, ok]) => ({
    step,
    result,
    ok: ok && after[step] !== undefined,
    ms: after[step] ?? since(),
  }));
  return [uploaded, ...steps, await mailStep(env, image_id, since), ...(await downloadStep(picture))];
}

/** The API does not show who gets a mail, so the database does. */
async function mailStep(env: Env, id: number, since: () => number): Promise<DemoStep> {
  const { DATABASE_URL: url } = readSettings({ database: databaseSettings }, env).database;
  const db = connectDatabase({ url, name: 'warren demo', connections: 1 });
  const read = async () => {
    const notices = await db
      .selectFrom('picture_notices')
      .leftJoin('mails', 'mails.key', 'picture_notices.mail_key')
      .select(['mail_key', 'sent_at'])
      .where('picture_notices.picture_id', '=', id)
      .execute();
    // One without a mail waits for the friend's next digest.
    return notices.filter(({ mail_key, sent_at }) => mail_key === null || sent_at !== null).length;
  };
  try {
    let mailed = await read();
    while (mailed < friends && since() < patienceMs) {
      await pause(50);
      mailed = await read();
    }
    const result = `${mailed} of ${friends} friends have a mail, or get a digest`;
    return { step: 'mailed', result, ok: mailed === friends, ms: since() };
  } finally {
    await db.destroy();
  }
}

/** @returns the picture as it was read last, and when each effect was first visible. */
async function waitForEffects(call: Call, id: number, since: () => number) {
  const read = async () => (await call('GET', `/pictures/${id}`)) as Picture;
  const names = Object.keys(effects) as Effect[];
  const after: Partial<Record<Effect, number>> = {};
  let picture = await read();
  for (;;) {
    for (const name of names) if (effects[name](picture)) after[name] ??= since();
    if (names.every((name) => after[name] !== undefined) || since() > patienceMs) return { picture, after };
    await pause(50);
    picture = await read();
  }
}

function checks(picture: Picture): [Effect, string, boolean][] {
  const { friends_notified_at: notified, height, points, reason, status, variants, width } = picture;
  const sizes = variants.map((each) => `${each.width} ${each.format} ${kilobytes(each.bytes)}`);
  const oriented = (height ?? 0) < (width ?? 0) ? 'landscape' : 'upright';
  return [
    [
      'resized',
      reason ?? `${width} x ${height} (${oriented}):\n${inPairs(sizes).join('\n')}`,
      status === 'ready' && variants.length === 8,
    ],
    ['rewarded', `${points} points`, points === 10],
    ['announced', 'its friends are notified', notified !== null],
  ];
}

/** The link must work for a browser, which sends no token. */
async function downloadStep({ variants }: Picture): Promise<DemoStep[]> {
  const variant = variants.find(({ format }) => format === 'webp');
  if (!variant) return [];
  const since = stopwatch();
  const response = await fetch(variant.url, { signal: AbortSignal.timeout(10_000) });
  const { length } = Buffer.from(await response.arrayBuffer());
  const result = `${response.status} ${response.headers.get('content-type')}, ${length} bytes`;
  return [{ step: 'download by its link', result, ok: response.ok && length === variant.bytes, ms: since() }];
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(0)} kB`;

function inPairs(texts: readonly string[]): string[] {
  return texts.flatMap((text, index) =>
    index % 2 === 0 ? [[text, texts[index + 1]].filter(Boolean).join(', ')] : [],
  );
}
