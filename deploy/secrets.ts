import { parseReference, referenceForms } from 'warren/functions';
import { groupMark, inGroup } from './groups.ts';
import { type Environment, environmentsOf, type Service } from './service.ts';

/** Instead of a reference: the secret is not used. A parameter of the CLI cannot be empty. */
const unused = 'none';

/**
 * Replaces the values of secret variables by references to the secrets. `{group}` in a reference becomes the name of the function's
 * group, so that each group has a login of its own.
 *
 * @param secrets reference by variable; `none` or an empty text for an unused secret.
 * @throws Error that names each parameter that contains a secret itself: every reader of the function's settings would see it; Error
 *   that names a function which is in no group, if a reference needs one.
 */
export function nameSecrets(service: Service, given: Readonly<Record<string, string>>): void {
  const secrets = Object.fromEntries(
    Object.entries(given).map(([variable, text]) => [variable, text === unused ? '' : text]),
  );
  const plain = Object.entries(secrets).filter(
    ([, text]) => text !== '' && !parseReference(text.replaceAll(groupMark, 'group')),
  );
  if (plain.length > 0) {
    const names = plain.map(([variable]) => `custom.deploy.secrets.${variable}`).join(', ');
    throw new Error(
      `${names}: expected a reference to the secret, such as ${referenceForms}, got something else`,
    );
  }
  // The CLI uploads the whole service, including the sections that the functions' variables come from.
  const sections = Object.values((service.custom['environment'] ?? {}) as Record<string, Environment>);
  for (const environment of [...sections, ...environmentsOf(service)]) {
    for (const [variable, text] of Object.entries(secrets)) {
      if (variable in environment) environment[variable] = text;
    }
    if (environment['AUTH_JWKS_URL'] || environment['AUTH_JWT_SECRET'] === '') trustIssuer(environment);
  }
  for (const key of Object.keys(service.functions)) inGroup(service, key);
}

/**
 * Removes the secret for signing tokens, because the tokens come from an issuer.
 *
 * @throws Error if tokens that the issuer made for any other application would be accepted. The functions refuse to start then.
 */
function trustIssuer(environment: Environment): void {
  if (!environment['AUTH_ISSUER'] || !environment['AUTH_AUDIENCE']) {
    const parameter = environment['AUTH_JWKS_URL'] ? 'jwksUrl' : 'jwtSecret=none';
    throw new Error(
      `${parameter}: expected --param=jwtIssuer and --param=jwtAudience beside it, or AUTH_ISSUER and AUTH_AUDIENCE`,
    );
  }
  delete environment['AUTH_JWT_SECRET'];
}
