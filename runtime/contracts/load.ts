import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { WarrenError } from '../base/errors.ts';
import { thrownText } from '../base/thrown-text.ts';
import type { Contract } from './contract.ts';
import { isContract } from './define.ts';
import { checkExamples } from './examples.ts';

/**
 * Imports the contracts that modules export.
 *
 * @param folder the paths are relative to it.
 * @param paths `custom.warren.contracts`.
 * @throws WarrenError ERR_CONFIG if there is none, a module is missing, cannot be imported or exports none, or an example breaks
 *   its contract.
 */
export async function loadContracts(folder: string, paths: readonly string[]): Promise<Contract[]> {
  if (paths.length === 0) {
    const advice = 'expected the modules that export contracts, such as [src/contracts.ts], got none';
    throw new WarrenError('ERR_CONFIG', `custom.warren.contracts: ${advice}`);
  }
  const loaded = await Promise.all(paths.map((path) => contractsOf(folder, path)));
  const contracts = loaded.flat();
  await checkExamples(contracts);
  return contracts;
}

async function contractsOf(folder: string, path: string): Promise<Contract[]> {
  const file = resolve(folder, path);
  if (!existsSync(file)) throw wrong(path, 'there is no such file');
  const module: unknown = await importModule(folder, path).catch((cause: unknown) => {
    const reason = thrownText(cause instanceof Error ? cause.message : cause);
    throw wrong(path, `cannot be imported: ${reason}`, cause);
  });
  // The order of a module's exports depends on its loader.
  const exported = Object.entries(module as Record<string, unknown>).sort(([one], [other]) =>
    one < other ? -1 : 1,
  );
  const contracts = exported.map(([, value]) => value).filter(isContract);
  if (contracts.length > 0) return contracts;
  throw wrong(path, 'expected exports made with defineMessage or defineCall, got none');
}

async function importModule(folder: string, path: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(resolve(folder, path)).href);
  } catch (error) {
    // Node 20 does not load TypeScript.
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION'))
      throw error;
    return importBundle(folder, path);
  }
}

/**
 * Imports a module in TypeScript with the bundler that `warren dev` uses.
 *
 * @throws WarrenError ERR_CONFIG if esbuild is not installed in the project.
 */
export async function importBundle(folder: string, path: string): Promise<unknown> {
  const { Code } = await import('../local/code.ts');
  const outdir = join(folder, '.warren', 'contracts', randomUUID());
  const code = new Code({ root: resolve(folder), files: [path], outdir: resolve(outdir) });
  try {
    await code.build();
    return await import(pathToFileURL(resolve(outdir, path.replace(/\.[^.]+$/, '.mjs'))).href);
  } finally {
    await code.close();
  }
}

const wrong = (path: string, text: string, cause?: unknown) =>
  new WarrenError('ERR_CONFIG', `custom.warren.contracts: ${path}: ${text}`, { cause });
