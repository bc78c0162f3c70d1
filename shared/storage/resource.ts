import { resource } from 'warren/functions';
import { storageSettings } from './settings.ts';
import { createStorage } from './storage.ts';

/** The bucket that the settings name. */
export const storage = resource(storageSettings, (settings, { reread }) =>
  createStorage(settings, {}, reread),
);
