// Leases and sends each mail without asking whether it was sent.
import pg from 'pg';

const { prototype } = pg.Client;
const { query } = prototype;
const forget = (text) => {
  if (text.startsWith('insert into "mails"'))
    return text.replace('returning "sent_at"', 'returning null as "sent_at"');
  if (text.includes('insert into warren_leases')) return text.replace(/where lease.done_at is null.*$/m, '');
  return text;
};
prototype.query = function (text, ...rest) {
  return query.call(this, typeof text === 'string' ? forget(text) : text, ...rest);
};
