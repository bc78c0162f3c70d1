import { isBuiltin } from 'node:module';
import { sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';

const resolving = Symbol('resolving');

/**
 * Leaves out what is installed. The packages of a workspace are the project's own code, and what only they have installed is named by
 * its path, because a bundle would not find it.
 */
export const externalPackages: Plugin = {
  name: 'external-packages',
  setup(build) {
    const { absWorkingDir: root = '' } = build.initialOptions;
    build.onResolve({ filter: /^[^./]/ }, async ({ path, importer, kind, resolveDir, pluginData }) => {
      if (kind === 'entry-point' || pluginData === resolving) return undefined;
      if (isBuiltin(path)) return { path, external: true };
      const found = await build.resolve(path, { importer, kind, resolveDir, pluginData: resolving });
      if (!found.path.includes(`${sep}node_modules${sep}`)) return found;
      const atRoot = await build.resolve(path, { kind, resolveDir: root, pluginData: resolving });
      if (atRoot.path === found.path) return { path, external: true };
      const isRequired = kind === 'require-call' || kind === 'require-resolve';
      return { path: isRequired ? found.path : pathToFileURL(found.path).href, external: true };
    });
  },
};
