import { deployedRelease, type Release } from '../../topology/release.ts';
import { readSection } from '../../topology/schema.ts';
import { addAliases, type Naming, permitFirst, type ReleasedFunctions, targetAliases } from './aliases.ts';
import { recordLive, restoreVersions } from './restore.ts';
import { type Provider, Stack } from './stack.ts';
import { aliasesIn, type Template } from './template.ts';

/** The parts of the serverless CLI's object that a release reads and changes. */
export interface ReleasingServerless {
  classes: { Error: new (message: string, code: string) => Error };
  service: {
    service: string;
    functions: ReleasedFunctions;
    provider: { compiledCloudFormationTemplate?: Template; shouldNotDeploy?: boolean };
    custom?: Record<string, unknown>;
  };
  getProvider(name: 'aws'): Provider & { naming: Naming };
}

interface Utils {
  log: Record<'notice' | 'warning', (text: string) => void>;
}

/** What the serverless CLI knows of the command that restores former versions. */
export const releaseCommands = {
  restore: {
    usage: 'Let everything call the versions of the functions that were live before the last deployment',
    lifecycleEvents: ['restore'],
  },
};

/** `custom.warren.release`: versions of functions behind an alias, and the way back to those that were live before. */
export class Releases {
  readonly hooks: Record<string, () => Promise<void> | void>;
  readonly #serverless: ReleasingServerless;
  readonly #utils: Utils;

  constructor(serverless: ReleasingServerless, utils: Utils) {
    this.#serverless = serverless;
    this.#utils = utils;
    this.hooks = {
      'before:package:compileFunctions': () => this.#target(),
      'after:package:compileFunctions': () => this.#add(),
      'after:package:compileEvents': () => this.#permit(),
      'before:aws:deploy:deploy:updateStack': () => this.#record(),
      'after:aws:deploy:deploy:updateStack': () => this.#record(),
      'restore:restore': () => this.#restore(),
    };
  }

  get #release(): Release | undefined {
    return deployedRelease(readSection(this.#serverless.service.custom?.['warren']));
  }

  get #naming(): Naming {
    return this.#serverless.getProvider('aws').naming;
  }

  get #template(): Template | undefined {
    return this.#serverless.service.provider.compiledCloudFormationTemplate;
  }

  #target(): void {
    const release = this.#release;
    if (release) targetAliases(this.#serverless.service.functions, release, this.#naming);
  }

  #add(): void {
    const [release, template] = [this.#release, this.#template];
    if (!release || !template) return;
    const { service, functions } = this.#serverless.service;
    const prefix = `${service}-${this.#serverless.getProvider('aws').getStage()}`;
    addAliases(template, functions, { release, naming: this.#naming, prefix });
  }

  #permit(): void {
    if (this.#release && this.#template) permitFirst(this.#template);
  }

  /** Before a deployment too, for the case that the one before was not recorded. */
  async #record(): Promise<void> {
    const [release, template] = [this.#release, this.#template];
    const { shouldNotDeploy } = this.#serverless.service.provider;
    if (!release || !template || shouldNotDeploy) return;
    await recordLive(this.#stack(), aliasesIn(template, release.alias).values(), release.alias);
  }

  async #restore(): Promise<void> {
    const release = this.#release;
    const { log } = this.#utils;
    const fail = (text: string) => new this.#serverless.classes.Error(text, 'WARREN_RESTORE');
    if (!release) throw fail('restore: expected custom.warren.release in serverless.yml, got none');
    const { at, changes } = await restoreVersions(this.#stack(), release.alias).catch((cause: Error) => {
      // The CLI takes any other error for a bug of its own, and prints a stack trace.
      throw fail(cause.message);
    });
    for (const { name, from, to } of changes)
      log.notice(`${name}: version ${to} is live, in place of ${from}`);
    log.notice(`restored the versions that were live on ${at}; the next deployment replaces them`);
  }

  #stack(): Stack {
    return new Stack(this.#serverless.getProvider('aws'), this.#serverless.service.service);
  }
}
