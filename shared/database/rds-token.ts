import { AwsClient } from 'aws4fetch';
import { WarrenError } from 'warren/functions';

/** Seconds; RDS takes no more. */
const valid = 900;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Signs a token with which a user logs in to RDS or Aurora by IAM: a signed address without its scheme. Nothing is sent. AWS's signer does
 * the same, and would add its credential providers to each bundle.
 *
 * @param env environment with the credentials and the region, which Lambda fills.
 * @throws WarrenError ERR_CONFIG without credentials in the environment.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.Connecting.html
 */
export async function rdsToken(
  { host, port, user }: { host: string; port: number; user: string },
  env: Environment = process.env,
): Promise<string> {
  const { AWS_REGION: region, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = env;
  if (!region || !AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) {
    const names = 'AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
    throw new WarrenError('ERR_CONFIG', `DATABASE_URL: auth=rds-iam: expected ${names}, as Lambda sets them`);
  }
  const client = new AwsClient({
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
    service: 'rds-db',
    region,
  });
  const address = new URL(`https://${host}:${port}/`);
  address.search = String(
    new URLSearchParams({ Action: 'connect', DBUser: user, 'X-Amz-Expires': String(valid) }),
  );
  const { url } = await client.sign(address.href, { method: 'GET', aws: { signQuery: true } });
  return url.slice('https://'.length);
}
