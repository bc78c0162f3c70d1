const upper = (group: string) => group.toUpperCase().replaceAll('-', '_');

/** Variable of the prepare function with the AMQP URL of a group of functions. */
export const brokerLoginVariable = (group: string): string => `LOGIN_AMQP_${upper(group)}`;

/** Variable of the prepare function with the database URL of a group of functions. */
export const databaseLoginVariable = (group: string): string => `LOGIN_DATABASE_${upper(group)}`;
