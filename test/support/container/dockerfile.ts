import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { promisify } from 'node:util';
import dockerignore from '@balena/dockerignore';
import {
  type Copy,
  DockerfileParser,
  type Env,
  type From,
  type Healthcheck,
  type Instruction,
  type JSONInstruction,
} from 'dockerfile-ast';

const run = promisify(execFile);

/** Contents and settings of a Dockerfile's last stage, as folders of this machine. */
export interface Built {
  /** What is `/` in the image, without what its base brings. */
  root: string;
  /** As in the image. */
  workdir: string;
  env: Record<string, string>;
  user: { uid: number; gid: number };
  entrypoint: string[];
  healthcheck: string[];
  /** Of its own stages, the commands that were run. */
  commands: string[];
}

interface Stage {
  root: string;
  workdir: string;
  env: Record<string, string>;
}

/**
 * Carries out a Dockerfile without an engine: each stage is an empty folder, its COPY and RUN are done there. What it can't
 * show: that the base images are there, and what this machine has that they don't.
 *
 * @param context the folder that is the context, with its .dockerignore.
 * @param folder an empty one, for the stages.
 * @param brought by a stage's name, files that its base would bring; empty ones are put there.
 */
export async function buildWithoutEngine(
  context: string,
  folder: string,
  args: Record<string, string>,
  brought: Readonly<Record<string, readonly string[]>> = {},
): Promise<Built> {
  const file = DockerfileParser.parse(await readFile(join(context, 'Dockerfile'), 'utf8'));
  const ignored = await ignoredBy(context);
  const stages = new Map<string, Stage>();
  let stage: Stage = { root: '', workdir: '/', env: {} };
  let known: Record<string, string> = {};
  const built = {
    user: { uid: 0, gid: 0 },
    entrypoint: [] as string[],
    healthcheck: [] as string[],
    commands: [] as string[],
  };
  const place = ({ root, workdir }: Stage, path: string) =>
    join(root, isAbsolute(path) ? path : join(workdir, path));

  const steps: Record<string, (instruction: Instruction) => Promise<void>> = {
    async FROM(instruction) {
      const name = (instruction as From).getBuildStage() ?? String(stages.size);
      stage = { root: join(folder, name), workdir: '/', env: {} };
      known = {};
      stages.set(name, stage);
      await mkdir(stage.root, { recursive: true });
      for (const path of brought[name] ?? []) {
        await mkdir(join(stage.root, dirname(path)), { recursive: true });
        await writeFile(join(stage.root, path), '');
      }
    },
    async ARG(instruction) {
      const [name = ''] = instruction.getArgumentsContent()?.split('=') ?? [];
      if (name in args) known[name] = args[name] ?? '';
    },
    async ENV(instruction) {
      for (const each of (instruction as Env).getProperties())
        stage.env[each.getName()] = each.getValue() ?? '';
    },
    async WORKDIR(instruction) {
      stage.workdir = instruction.getArgumentsContent() ?? '/';
      await mkdir(place(stage, '.'), { recursive: true });
    },
    async COPY(instruction) {
      const from = (instruction as Copy)
        .getFlags()
        .find((flag) => flag.getName() === 'from')
        ?.getValue();
      const paths = instruction.getArguments().map((each) => each.getValue());
      const target = place(stage, paths.pop() ?? '.');
      const source = from === undefined ? undefined : stages.get(from ?? '');
      for (const path of paths) {
        const whole = source ? place(source, path) : join(context, path);
        const filter = (each: string) => source !== undefined || !ignored(relative(context, each));
        const isFolder = (await stat(whole)).isDirectory();
        if (isFolder) await mkdir(target, { recursive: true });
        // As COPY has it, what is in a folder is copied, and not the folder.
        for (const name of isFolder ? await readdir(whole) : ['']) {
          const one = join(whole, name);
          if (!filter(one)) continue;
          const to = isFolder ? join(target, name) : join(target, path.split('/').pop() ?? '');
          await cp(one, to, { recursive: true, filter });
        }
      }
    },
    async RUN(instruction) {
      const command = instruction.getArgumentsContent() ?? '';
      built.commands.push(command);
      const env = { ...builders(), ...known, ...stage.env };
      await run('sh', ['-c', command], { cwd: place(stage, '.'), env, maxBuffer: 50_000_000 });
    },
    async USER(instruction) {
      const [uid = 0, gid = uid] = (instruction.getArgumentsContent() ?? '').split(':').map(Number);
      built.user = { uid, gid };
    },
    async ENTRYPOINT(instruction) {
      built.entrypoint = json(instruction as JSONInstruction);
    },
    async HEALTHCHECK(instruction) {
      const [, list = '[]'] =
        /CMD\s+(\[.*\])/.exec((instruction as Healthcheck).getRawArgumentsContent() ?? '') ?? [];
      built.healthcheck = JSON.parse(list) as string[];
    },
    EXPOSE: async () => undefined,
    CMD: async () => undefined,
  };

  for (const instruction of file.getInstructions()) {
    const step = steps[instruction.getKeyword()];
    if (!step)
      throw new Error(
        `line ${instruction.getRange().start.line + 1}: not known here: ${instruction.getKeyword()}`,
      );
    // What stands before the first FROM names base images, which are not looked at.
    if (stages.size > 0 || instruction.getKeyword() === 'FROM') await step(instruction);
  }
  return { ...built, root: stage.root, workdir: stage.workdir, env: stage.env };
}

/** An engine starts from an empty environment; how to reach npm's registry is this machine's. */
function builders(): Record<string, string | undefined> {
  const kept = /^(PATH|HOME|npm_config_(registry|cache)|https?_proxy|no_proxy|node_extra_ca_certs)$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => kept.test(name)));
}

const json = (instruction: JSONInstruction): string[] =>
  instruction.getJSONStrings().map((each) => JSON.parse(each.getValue()) as string);

async function ignoredBy(context: string): Promise<(path: string) => boolean> {
  const matcher = dockerignore().add(await readFile(join(context, '.dockerignore'), 'utf8'));
  const lists = (await readFile(join(context, '.dockerignore'), 'utf8'))
    .split('\n')
    .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
  // A folder on the way to something that is not ignored has to be entered.
  return (path) => path !== '' && matcher.ignores(path) && !lists.some((each) => each.startsWith(`${path}/`));
}
