import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { projectDir } from '../../dev/stack/project.ts';

/** An import of one file of the project by another. */
export interface Arrow {
  from: string;
  /** A path in the project, or a package's specifier such as `warren/functions`. */
  to: string;
}

const folders = ['runtime', 'functions', 'shared', 'dev', 'deploy', 'test'];
const scripts = /\.(tsx?|mjs|cjs)$/;

/** Every script of the project, as paths that start at its folder. */
export function projectFiles(): string[] {
  const own = (folder: string) =>
    readdirSync(join(projectDir, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => !/(^|\/)(node_modules|files)\//.test(path) && scripts.test(path))
      .map((path) => join(folder, path));
  return folders.flatMap(own).sort();
}

/** Every import in these files: `from '...'`, `import('...')` and `import '...'`. */
export function importsOf(files: readonly string[]): Arrow[] {
  return files.flatMap((from) => {
    const text = readFileSync(join(projectDir, from), 'utf8');
    const found = text.matchAll(
      /^(?:import|export|\}).*?from '([^']+)'|\bimport\('([^']+)'\)|^import '([^']+)'/gm,
    );
    return [...found].map(([, ...specifiers]) => {
      const specifier = specifiers.find((each) => each !== undefined) ?? '';
      return { from, to: specifier.startsWith('.') ? normalize(join(dirname(from), specifier)) : specifier };
    });
  });
}

/** Every circle of imports, as `a -> b -> a`, each once. */
export function circlesOf(arrows: readonly Arrow[]): string[] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of arrows) targets.set(from, [...(targets.get(from) ?? []), to]);
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) circles.push([...path.slice(at), file].join(' -> '));
    if (at >= 0 || done.has(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
  return circles;
}
