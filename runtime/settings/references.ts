/** The location of a secret: a parameter of AWS Systems Manager, or a secret of AWS Secrets Manager. */
export interface Reference {
  service: 'ssm' | 'secretsmanager';
  /** Name of the parameter; name or ARN of the secret. */
  id: string;
  /** Member of a secret that is a JSON object. */
  key?: string | undefined;
}

const form = /^(ssm|secretsmanager):([\w/+=.@:-]+)(?:#([\w.-]+))?$/;

/** The forms in which a variable of the environment refers to a secret. */
export const referenceForms = 'ssm:/warren/prod/amqp-url or secretsmanager:warren/prod#amqp-url';

/**
 * Reads a variable of the environment as a reference.
 *
 * @returns undefined for any other text, which is the value itself.
 */
export function parseReference(text: string | undefined): Reference | undefined {
  const [, service, id = '', key] = form.exec(text ?? '') ?? [];
  return service === 'ssm' || service === 'secretsmanager' ? { service, id, key } : undefined;
}
