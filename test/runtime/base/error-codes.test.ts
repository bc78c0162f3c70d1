import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { projectFile } from '../../../dev/stack/project.ts';
import { errorCodes } from '../../../runtime/base/error-codes.ts';
import { RejectedError, UnavailableError, UnroutableError } from '../../../runtime/base/errors.ts';
import { projectFiles } from '../../support/imports.ts';

const sources = projectFiles().filter((path) => /^(runtime|functions|shared|deploy|dev)\//.test(path));
const textOf = (path: string) => readFileSync(projectFile(path), 'utf8');
const codesIn = (path: string) => [...textOf(path).matchAll(/'(ERR_[A-Z_]+)'/g)].map(([, code = '']) => code);
/** Codes of Node and of AWS's client that the sources compare with. */
const foreign = new Set([
  'ERR_BUFFER_TOO_LARGE',
  'ERR_JWKS_TIMEOUT',
  'ERR_MODULE_NOT_FOUND',
  'ERR_UNKNOWN_FILE_EXTENSION',
]);

describe('errorCodes', () => {
  it('error codes: the sources use no code that the table does not describe', () => {
    const used = new Set(sources.flatMap(codesIn));
    const unknown = [...used].filter(
      (code) => !(code in errorCodes) && !code.startsWith('ERR_APP_') && !foreign.has(code),
    );
    expect(unknown).toEqual([]);
  });

  it('error codes: the table describes no code that nothing uses', () => {
    const used = new Set(sources.flatMap(codesIn));
    expect(Object.keys(errorCodes).filter((code) => !used.has(code))).toEqual([]);
  });

  it('errors: their names do not depend on the names of classes, which a minifier changes', () => {
    const renamed = class K extends RejectedError {};
    expect(new renamed('x').name).toBe('RejectedError');
    expect(String(new UnavailableError('bank', 'closed'))).toBe('UnavailableError: closed');
    expect(new UnroutableError('e', 'k').name).toBe('UnroutableError');
  });

  it('errors: every exported error class of the runtime is a WarrenError', () => {
    const plain = sources
      // The page of the board runs in a browser.
      .filter((path) => path.startsWith('runtime/') && !path.startsWith('runtime/board/page/'))
      .filter((path) => /export class \w+ extends Error\b/.test(textOf(path)))
      .filter((path) => path !== 'runtime/base/errors.ts');
    expect(plain).toEqual([]);
  });
});
