import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { isAbsolute } from 'node:path';
import { createInterface } from 'node:readline';
import { projectFile } from '../../../dev/stack/project.ts';

/** A client in another language, under way. */
export interface Client {
  /** What it has printed up to now. */
  lines: string[];
  /** Resolves when it has printed this line; rejects when it ends before. */
  printed(line: string): Promise<void>;
  /** Resolves when it ended well, with what it printed; rejects with its errors otherwise. */
  done: Promise<string[]>;
  kill(): void;
}

/**
 * Starts a program in Python, PHP or JavaScript.
 *
 * @param file relative to this folder, or absolute.
 * @param env variables besides those of this process.
 */
export function startClient(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Client {
  const path = isAbsolute(file) ? file : projectFile(`test/support/clients/${file}`);
  const child = spawn(interpreterOf(file), [path, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Without compiled modules in the folder of the sources.
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...env },
  });
  return watch(child, file);
}

function watch(child: ChildProcess, file: string): Client {
  const lines: string[] = [];
  const errors: string[] = [];
  const waiting = new Map<string, () => void>();
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      waiting.get(line)?.();
    });
  }
  child.stderr?.on('data', (data: Buffer) => errors.push(data.toString()));
  const done = new Promise<string[]>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0 || signal === 'SIGKILL') resolve(lines);
      else reject(new Error(`${file} ended with ${code ?? signal}: ${errors.join('')}`));
    });
  });
  // A caller that awaits it sees the error; awaiting it is optional.
  done.catch(() => undefined);
  return {
    lines,
    done,
    async printed(line) {
      if (lines.includes(line)) return;
      const seen = new Promise<void>((resolve) => waiting.set(line, resolve));
      const ended = done.then(() => Promise.reject(new Error(`${file} ended without "${line}"`)));
      await Promise.race([seen, ended]);
    },
    kill: () => child.kill('SIGKILL'),
  };
}

function interpreterOf(file: string): string {
  if (file.endsWith('.mjs')) return process.execPath;
  return file.endsWith('.php') ? php() : python();
}

/** Debian's packages serve the system's Python, which need not be the first on the PATH. */
function python(): string {
  const found = ['python3', '/usr/bin/python3'].find(
    (command) => spawnSync(command, ['-c', 'import pika']).status === 0,
  );
  if (!found) throw new Error('no Python with pika here: apt-get install python3-pika');
  return found;
}

function php(): string {
  const check = 'exit(is_file("/usr/share/php/PhpAmqpLib/autoload.php") ? 0 : 1);';
  if (spawnSync('php', ['-r', check]).status === 0) return 'php';
  throw new Error('no PHP with php-amqplib here: apt-get install php-cli php-amqplib');
}
