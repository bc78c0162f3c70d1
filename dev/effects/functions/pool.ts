import pg from 'pg';
import { resource } from 'warren/functions';
import { z } from 'zod';

const settings = () => z.object({ DATABASE_URL: z.string() });

/** The database of the course's own functions. */
export const pool = resource(
  settings,
  ({ DATABASE_URL }) => new pg.Pool({ connectionString: DATABASE_URL, max: 10 }),
);
