// Claims and sends each mail without asking whether it was sent.
import pg from 'pg';

const { prototype } = pg.Client;
const { query } = prototype;
prototype.query = function (text, ...rest) {
  if (typeof text === 'string' && text.startsWith('insert into "mails"')) {
    return query.call(this, text.replace(/ where "mails"."sent_at" is null and .*$/, ''), ...rest);
  }
  return query.call(this, text, ...rest);
};
