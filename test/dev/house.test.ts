import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { type Arrow, circlesOf, importsOf, projectFiles } from '../support/imports.ts';

const parts = ['auth', 'database', 'delivery', 'http', 'storage'];
const files = projectFiles();
const arrows = importsOf(files);
const within = ({ to }: Arrow, folder: string) => to.startsWith(`${folder}/`);
const from = (folder: string) => arrows.filter((arrow) => arrow.from.startsWith(`${folder}/`));
const isLocal = ({ to }: Arrow) => files.includes(to);
const show = (found: readonly Arrow[]) => found.map((arrow) => `${arrow.from} -> ${arrow.to}`);
const folderOf = (path: string) => path.split('/').slice(0, 2).join('/');

describe('house', () => {
  it('runtime: imports nothing outside itself', () => {
    expect(show(from('runtime').filter((arrow) => isLocal(arrow) && !within(arrow, 'runtime')))).toEqual([]);
    // The template of a new project imports the package as that project does.
    const own = from('runtime').filter((arrow) => !arrow.from.startsWith('runtime/template/'));
    expect(show(own.filter(({ to }) => to.startsWith('warren')))).toEqual([]);
  });

  it('functions, shared, deploy: import the runtime by its name and never by a path', () => {
    const outside = ['functions', 'shared', 'deploy'].flatMap(from);
    expect(show(outside.filter((arrow) => within(arrow, 'runtime')))).toEqual([]);
    expect(outside.some(({ to }) => to === 'warren/functions')).toBe(true);
  });

  it('functions: import systems and parts, and no other function', () => {
    const allowed = (arrow: Arrow) => !isLocal(arrow) || within(arrow, 'shared');
    expect(show(from('functions').filter((arrow) => !allowed(arrow)))).toEqual([]);
  });

  it('shared: a system imports itself and parts; a part imports only parts', () => {
    const isPart = (path: string) => parts.includes(path.split('/')[1] ?? '');
    const wrong = from('shared').filter(({ from: file, to }) => {
      if (!files.includes(to)) return false;
      if (isPart(file)) return !(to.startsWith('shared/') && isPart(to));
      return folderOf(file) !== folderOf(to) && !(to.startsWith('shared/') && isPart(to));
    });
    expect(show(wrong)).toEqual([]);
  });

  it('dev, test: only dev and test import them', () => {
    const shipped = ['runtime', 'functions', 'shared', 'deploy'].flatMap(from);
    expect(show(shipped.filter((arrow) => within(arrow, 'dev') || within(arrow, 'test')))).toEqual([]);
  });

  it('imports: make no circle', () => {
    expect(circlesOf(arrows.filter(isLocal))).toEqual([]);
  });

  it('shared: has no flat file', () => {
    const flat = readdirSync(projectFile('shared'), { withFileTypes: true }).filter((each) => each.isFile());
    expect(flat.map(({ name }) => name)).toEqual([]);
  });

  it('test: has helpers in support only, and tests beside the rooms that they mirror', () => {
    const helpers = files.filter((file) => file.startsWith('test/') && !/\.test\.ts$/.test(file));
    const misplaced = helpers.filter((file) => !/^test\/(support\/|\w+\/vitest\.config\.ts$)/.test(file));
    expect(misplaced).toEqual([]);
  });

  it('files: none has more than 180 lines', () => {
    const sources = files.filter((file) => !file.startsWith('test/'));
    const lines = (file: string) => readFileSync(projectFile(file), 'utf8').trimEnd().split('\n').length;
    expect(sources.filter((file) => lines(file) > 180)).toEqual([]);
  });

  it('objects: none has a literal spread into it, which only keeps the formatter from a line for each property', () => {
    const spread = /(?:\.\.\.\{|\{\.\.\.\{) *[\w\n'"[]/;
    expect(files.filter((file) => spread.test(readFileSync(projectFile(file), 'utf8')))).toEqual([]);
  });

  it('handlers: read no environment and open nothing by themselves', () => {
    const handlers = files.filter((file) => file.startsWith('functions/'));
    const wired = handlers.filter((file) =>
      /AWS_LAMBDA_FUNCTION_NAME|load(Config|Settings)|connectDatabase\(|new Publisher\(/.test(
        readFileSync(projectFile(file), 'utf8'),
      ),
    );
    expect(wired).toEqual([]);
  });

  it('zod: is imported as a namespace, because esbuild keeps all of it for `import { z }`', () => {
    const shipped = files.filter((file) => /^(runtime|functions|shared|deploy)\//.test(file));
    const whole = /^import (?!type ).*\{.*\bz\b.*\} from 'zod'/m;
    expect(shipped.filter((file) => whole.test(readFileSync(projectFile(file), 'utf8')))).toEqual([]);
  });

  it('pictures: only the module of their states changes their rows', () => {
    // A migration changes the rows of a table once, before this code runs.
    const sources = files.filter((file) => /^(functions|shared)\/(?!database\/migrations\/)/.test(file));
    const writers = sources.filter((file) =>
      /(updateTable|(insert|merge|replace)Into|deleteFrom)\(\s*['"`]pictures\b|\b(update|insert into|delete from|merge into) "?pictures\b/i.test(
        readFileSync(projectFile(file), 'utf8'),
      ),
    );
    expect(writers).toEqual(['shared/pictures/state.ts']);
  });

  it('handlers: have at most 60 lines below their header', () => {
    const handlers = files.filter((file) => file.startsWith('functions/'));
    const body = (file: string) =>
      readFileSync(projectFile(file), 'utf8')
        .replace(/^\/\*\*[\s\S]*?\*\/\n/, '')
        .trimEnd()
        .split('\n').length;
    expect(handlers.filter((file) => body(file) > 60).map((file) => `${file}: ${body(file)}`)).toEqual([]);
  });
});
