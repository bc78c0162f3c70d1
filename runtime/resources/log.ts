import { createLog } from '../base/log.ts';
import { logSettings } from '../settings/sections.ts';
import { resource } from './resource.ts';

/** The function's log: one JSON object a line, at LOG_LEVEL (default `info`). */
export const log = resource(logSettings, (settings) => createLog(settings));
