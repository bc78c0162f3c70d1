const upper = (group: string) => group.toUpperCase().replaceAll('-', '_');

/** Variable of the prepare function with the AMQP URL of a group of functions. */
export const brokerLoginVariable = (group: string): string => `LOGIN_AMQP_${upper(group)}`;

/** Variable of the prepare function with the database URL of a group of functions. */
export const databaseLoginVariable = (group: string): string => `LOGIN_DATABASE_${upper(group)}`;

/** Variables of the prepare function with the login of AWS's mappings. */
export const mappingLogin = { name: 'MAPPING_LOGIN_NAME', password: 'MAPPING_LOGIN_PASSWORD' } as const;

/** Variable of the prepare function with the users that only a deployment to AWS has. */
export const awsUsersVariable = 'AWS_USERS';

/** Users of the broker in the form of `custom.warren.users`. */
export type AwsUsers = Record<string, { consumes?: string[]; functions?: string[]; answers?: boolean }>;

/** Name of the login that AWS's mappings have in `brokerSecretArn`. */
export const mappingUser = 'aws-mapping';
