/** Where a secret is kept: a parameter of AWS Systems Manager, or a secret of AWS Secrets Manager. */
export interface Reference {
  service: 'ssm' | 'secretsmanager';
  /** The parameter's name; the secret's name or ARN. */
  id: string;
  /** Of a secret that is a JSON object, the member that is meant. */
  key?: string | undefined;
}

const form = /^(ssm|secretsmanager):([\w/+=.@:-]+)(?:#([\w.-]+))?$/;

/** How a variable of the environment names a secret in place of holding it. */
export const referenceForms = 'ssm:/warren/prod/amqp-url or secretsmanager:warren/prod#amqp-url';

/**
 * Reads a variable of the environment as a reference.
 *
 * @returns undefined for any other text: it is the value itself.
 */
export function parseReference(text: string | undefined): Reference | undefined {
  const [, service, id = '', key] = form.exec(text ?? '') ?? [];
  return service === 'ssm' || service === 'secretsmanager' ? { service, id, key } : undefined;
}
