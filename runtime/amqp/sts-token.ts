import { AwsClient } from 'aws4fetch';
import { awsEnvironment, awsVariables } from '../base/aws-environment.ts';
import { UnavailableError, WarrenError } from '../base/errors.ts';
import { askForToken, type Token } from './token.ts';

/** Seconds; STS takes 60 to 3600. */
const valid = 900;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Requests a token that names the IAM role of this process, from AWS's STS: the call `GetWebIdentityToken` of its query protocol. Its SDK
 * would add its credential providers to each bundle.
 *
 * @param audience that the broker expects.
 * @param ms limit for the answer.
 * @param env environment with the region and the credentials, which Lambda fills, under the names of AWS's SDKs.
 * @throws WarrenError ERR_CONFIG without these, ERR_BROKER_REFUSED if STS refuses the role; UnavailableError if STS does not answer with
 *   a token, or throttles the call.
 * @see https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html
 */
export async function stsToken(audience: string, ms: number, env: Environment = process.env): Promise<Token> {
  const aws = awsEnvironment(env);
  if (!aws) {
    const expected = `expected ${awsVariables}, as Lambda sets them`;
    throw new WarrenError('ERR_CONFIG', `AMQP_URL: auth_mechanism=aws-iam: ${expected}`);
  }
  const { region, domain, credentials } = aws;
  const client = new AwsClient({ ...credentials, service: 'sts', region });
  const endpoint =
    env['AWS_ENDPOINT_URL_STS'] || env['AWS_ENDPOINT_URL'] || `https://sts.${region}.${domain}/`;
  const body = new URLSearchParams({
    Action: 'GetWebIdentityToken',
    Version: '2011-06-15',
    'Audience.member.1': audience,
    DurationSeconds: String(valid),
    // RabbitMQ's plugin checks every algorithm of its library, and RS256 is in each version of it.
    SigningAlgorithm: 'RS256',
  }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const request = await client.sign(endpoint, { method: 'POST', headers, body });
  const { status, text } = await askForToken(request, 'STS', ms);
  const code = /<Code>(\w{1,100})<\/Code>/.exec(text)?.[1] ?? '';
  // Throttling is a 400 too.
  if (status >= 400 && status < 500 && !code.startsWith('Throttl')) {
    throw new WarrenError('ERR_BROKER_REFUSED', `STS refused a token (${`${status} ${code}`.trim()})`);
  }
  const token = /<WebIdentityToken>\s*([\w.-]+)\s*<\/WebIdentityToken>/.exec(text)?.[1];
  const expires = Date.parse(/<Expiration>([^<]{1,40})<\/Expiration>/.exec(text)?.[1] ?? '');
  if (status !== 200 || token === undefined || Number.isNaN(expires)) {
    const expected = 'expected 200 with WebIdentityToken and Expiration';
    throw new UnavailableError('broker', `STS: ${expected}, got ${status} with another content`);
  }
  return { text: token, validMs: expires - Date.now() };
}
