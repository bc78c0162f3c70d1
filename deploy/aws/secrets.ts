import { Fn, SecretValue } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';

/**
 * Secrets of a stage, all below one name and encrypted with one key. Passwords are letters and digits, so that URLs contain them as they
 * are. No value is in the template: CloudFormation fills in passwords when it creates what uses them.
 */
export class Secrets extends Construct {
  readonly #prefix: string;
  readonly #encryptionKey: IKey;

  constructor(scope: Construct, id: string, { prefix, key }: { prefix: string; key: IKey }) {
    super(scope, id);
    this.#prefix = prefix;
    this.#encryptionKey = key;
  }

  /** A name and a new password. */
  login(name: string, username: string): Secret {
    return this.#secret(name, {
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ username }),
        generateStringKey: 'password',
        passwordLength: 40,
        excludePunctuation: true,
      },
    });
  }

  /** A new text that is hard to guess. */
  text(name: string): Secret {
    return this.#secret(name, { generateSecretString: { passwordLength: 64, excludePunctuation: true } });
  }

  /** A text that contains what only CloudFormation knows. */
  known(name: string, ...parts: readonly string[]): Secret {
    return this.#secret(name, { secretStringValue: SecretValue.unsafePlainText(Fn.join('', [...parts])) });
  }

  /** Members that contain what only CloudFormation knows. */
  members(name: string, secretObjectValue: Record<string, SecretValue>): Secret {
    return this.#secret(name, { secretObjectValue });
  }

  /** The reference to a secret as Warren's functions read it. `{group}` in the name is filled in by the deployment. */
  reference(name: string): string {
    return `secretsmanager:${this.#prefix}/${name}`;
  }

  #secret(name: string, props: object): Secret {
    const secretName = `${this.#prefix}/${name}`;
    return new Secret(this, name, { secretName, encryptionKey: this.#encryptionKey, ...props });
  }
}

/** `name:password` of a login, as URLs contain it. */
export const loginOf = (name: string, secret: ISecret): string =>
  `${name}:${secret.secretValueFromJson('password').unsafeUnwrap()}`;
