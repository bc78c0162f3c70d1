import { brokerSettings } from 'warren/functions';
import { databaseSettings } from '../../shared/database/resource.ts';
import { mailSettings } from '../../shared/delivery/mail.ts';
import { storageSettings } from '../../shared/storage/settings.ts';
import { linkSettings, unsubscribeSettings } from '../../shared/users/resources.ts';

/** The settings that check what a user sets for parts of their own. */
export const givenSettings = {
  AMQP_URL: brokerSettings,
  DATABASE_URL: databaseSettings,
  S3_ENDPOINT: storageSettings,
  SMTP_URL: mailSettings,
  PUBLIC_URL: linkSettings,
  UNSUBSCRIBE_SECRET: unsubscribeSettings,
};
