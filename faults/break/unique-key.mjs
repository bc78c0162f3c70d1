// Gives points without asking whether they were given; the harness drops the constraint.
import pg from 'pg';

const { prototype } = pg.Client;
const { query } = prototype;
prototype.query = function (settings, ...rest) {
  if (typeof settings?.text === 'string' && settings.text.startsWith('insert into "points_entries"')) {
    const text = settings.text.replace(/ on conflict .* do nothing/, '');
    return query.call(this, { ...settings, text }, ...rest);
  }
  return query.call(this, settings, ...rest);
};
