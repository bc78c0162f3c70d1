import { writeFileSync } from 'node:fs';
import { access, constants, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as z from 'zod';
import { processMark, type StackChild, signalTo } from './process.ts';
import type { Report } from './report.ts';
import { StackError } from './stack-error.ts';

const living = z.object({ name: z.string(), pid: z.int().positive(), mark: z.string() });
const shape = z.object({ launcher: living, children: z.array(living) });

type Living = z.output<typeof living>;

/** The claim of one launcher on a data folder. */
export interface Lock {
  /** Notes a program down, so that the next start finds it should we be killed. */
  add(child: StackChild): void;
  release(): Promise<void>;
}

/**
 * Claims a data folder, and ends what a launcher that was killed has left running there.
 *
 * @param dataDir made if it is not there.
 * @param files in it that are removed with what such a launcher has left.
 * @throws StackError when the folder can't be written, or a stack is up in it.
 */
export async function lockDataDir(
  dataDir: string,
  report: Report,
  files: readonly string[] = [],
): Promise<Lock> {
  await makeWritable(dataDir);
  const path = join(dataDir, 'stack.lock');
  const state = { launcher: thisProcess(), children: [] as Living[] };
  const text = () => `${JSON.stringify(state, null, 2)}\n`;
  for (;;) {
    if (await createWhole(path, text())) break;
    await clearStale(path, dataDir, report);
    for (const file of files) await rm(join(dataDir, file), { force: true });
  }
  return {
    add(child) {
      state.children.push({ name: child.name, pid: child.pid, mark: processMark(child.pid) ?? '' });
      writeFileSync(path, text(), { mode: 0o600 });
    },
    release: () => rm(path, { force: true }),
  };
}

/** If two processes try at the same time, one succeeds, and no process reads a half-written file. */
async function createWhole(path: string, text: string): Promise<boolean> {
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, text, { mode: 0o600 });
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function clearStale(path: string, dataDir: string, report: Report): Promise<void> {
  const former = await readLock(path);
  if (former && isAlive(former.launcher)) {
    throw new StackError(`the stack is already up in ${dataDir} (process ${former.launcher.pid})`);
  }
  // The broker ends last, because the others may still publish.
  for (const child of (former?.children ?? []).toReversed()) await end(child, report);
  await rm(path, { force: true });
}

/** After a signal from the kernel or from us, the program gets time to save its data. */
async function end(child: Living, report: Report): Promise<void> {
  if (!isAlive(child)) return;
  report('start', `ending ${child.name} (process ${child.pid}), left over from a start that was killed`);
  signalTo(child.pid, 'SIGTERM');
  const deadline = Date.now() + 15_000;
  while (isAlive(child) && Date.now() < deadline) await pause(50);
  signalTo(-child.pid, 'SIGKILL');
  while (isAlive(child)) await pause(50);
}

async function readLock(path: string): Promise<z.output<typeof shape> | undefined> {
  try {
    return shape.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    // Gone meanwhile, or cut short by a crash: then there is nothing in it to go by.
    return undefined;
  }
}

async function makeWritable(dataDir: string): Promise<void> {
  try {
    // Others may pass, PostgreSQL's user has to, and not look around.
    await mkdir(dataDir, { recursive: true, mode: 0o711 });
    await mkdir(join(dataDir, 'logs'), { recursive: true });
    await access(dataDir, constants.W_OK | constants.X_OK);
    await access(join(dataDir, 'logs'), constants.W_OK | constants.X_OK);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code;
    throw new StackError(
      `the data folder ${dataDir} can't be written (${reason}): change its owner or its rights`,
      { cause },
    );
  }
}

function isAlive({ pid, mark }: Living): boolean {
  return processMark(pid) === mark;
}

function thisProcess(): Living {
  return { name: 'warren', pid: process.pid, mark: processMark(process.pid) ?? '' };
}
