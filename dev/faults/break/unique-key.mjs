// Gives points without asking whether they were given; the harness drops the constraint.
import pg from 'pg';

const { prototype } = pg.Client;
const { query } = prototype;
prototype.query = function (text, ...rest) {
  if (typeof text === 'string' && text.startsWith('insert into "points_entries"')) {
    return query.call(this, text.replace(/ on conflict .* do nothing/, ''), ...rest);
  }
  return query.call(this, text, ...rest);
};
