/** Where and as whom AWS is called. */
export interface AwsEnvironment {
  region: string;
  /** Domain of the region's services. */
  domain: string;
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
}

/** The variables that have to be set, for errors. */
export const awsVariables = 'AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';

/**
 * Reads the variables of AWS's SDKs, which Lambda fills.
 *
 * @returns undefined if one of `awsVariables` is not set.
 */
export function awsEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): AwsEnvironment | undefined {
  const { AWS_REGION: region, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = env;
  if (!region || !AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return undefined;
  return {
    region,
    domain: region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com',
    credentials: {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
    },
  };
}
