import { fileURLToPath } from 'node:url';

/** The project's own folder, wherever the command is called from. */
export const projectDir = fileURLToPath(new URL('../../', import.meta.url));

/** The full path of a file of the project. */
export const projectFile = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
