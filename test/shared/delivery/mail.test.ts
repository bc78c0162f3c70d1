import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readSettings } from '../../../runtime/settings/read.ts';
import { createMailer, type Mail, mailSettings } from '../../../shared/delivery/mail.ts';
import { smtp, withFaultyServer } from '../../support/faults.ts';
import { mailsTo, sourceOf } from '../../support/mailbox.ts';
import { stack } from '../../support/stack.ts';

const mailerAt = (SMTP_URL: string, given: Record<string, string> = {}) =>
  createMailer(readSettings({ mail: mailSettings }, { SMTP_URL, ...given }).mail);
const address = () => `mail-${randomUUID()}@example.com`;
const mailTo = (to: string, given: Partial<Mail> = {}): Mail => ({
  to,
  subject: 'A subject',
  text: 'a text\n',
  html: '<p>a text</p>',
  ...given,
});
const away = { code: 'ERR_UNAVAILABLE', dependency: 'mail' };
const awayBecause = (text: string) => ({ ...away, message: expect.stringContaining(text) });

describe('a mail', () => {
  const mailer = mailerAt(stack.SMTP_URL, { MAIL_FROM: 'Warren <warren@example.org>' });
  const onlyMailTo = async (to: string) => {
    const mails = await mailsTo(to);
    expect(mails).toHaveLength(1);
    const [mail = await Promise.reject(new Error('no mail'))] = mails;
    const source = await sourceOf(mail);
    const [head = ''] = source.split(/\r?\n\r?\n/);
    // RFC 5322, 2.2.3: a line that begins with a space continues the previous line.
    return { ...mail, source, headers: head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/) };
  };

  it('has a text and an HTML part, a sender, and the Message-ID it was given', async () => {
    const to = address();
    await mailer.send(mailTo(to, { messageId: `<${to}.id@warren.invalid>` }));
    const { headers, source, text, html } = await onlyMailTo(to);
    expect(headers).toContain('From: Warren <warren@example.org>');
    expect(headers).toContain(`To: ${to}`);
    expect(headers).toContain(`Message-ID: <${to}.id@warren.invalid>`);
    expect(headers.find((line) => /^content-type:/i.test(line))).toMatch(/multipart\/alternative/);
    expect(source).toMatch(/^Content-Type: text\/plain/m);
    expect(source).toMatch(/^Content-Type: text\/html/m);
    expect([text.trim(), html.trim()]).toEqual(['a text', '<p>a text</p>']);
  });

  it('carries any Unicode text', async () => {
    const to = address();
    const subject = 'Grüße 🐇 an Ада';
    await mailer.send(mailTo(to, { subject, text: `${subject}\n.\n..\nFrom here\n` }));
    const mail = await onlyMailTo(to);
    expect(mail.subject).toBe(subject);
    // In SMTP a line with one dot ends the mail, unless the dot is doubled.
    expect(mail.text.trim()).toBe(`${subject}\n.\n..\nFrom here`);
  });

  it.each(['\r\n', '\n', '\r', '\r\n\r\n'])('gets no header from a subject with %j in it', async (end) => {
    const to = address();
    const other = address();
    await mailer.send(mailTo(to, { subject: `Eve${end}Bcc: ${other}${end}X-Evil: yes` }));
    const { headers } = await onlyMailTo(to);
    expect(headers.filter((line) => /^(bcc|x-evil):/i.test(line))).toEqual([]);
    expect(headers.filter((line) => /^subject:/i.test(line))).toHaveLength(1);
    expect(await mailsTo(other)).toEqual([]);
  });

  it.each([
    ['a comma', (one: string, other: string) => `${one}, ${other}`],
    ['a line break', (one: string, other: string) => `${one}\r\nBcc: ${other}`],
    ['an SMTP command', (one: string, other: string) => `${one}>\r\nRCPT TO:<${other}`],
    ['a name and another address', (one: string, other: string) => `"${one}" <${other}>, <${one}>`],
  ])('has no other recipient for %s in the address', async (_what, join) => {
    const [one, other] = [address(), address()];
    const seen: string[] = [];
    await withFaultyServer(smtp({}, seen), (port) =>
      // It may be sent or refused.
      Promise.allSettled([mailerAt(`smtp://127.0.0.1:${port}`).send(mailTo(join(one, other)))]),
    );
    const recipients = seen.filter((line) => line.startsWith('RCPT'));
    expect(recipients.length).toBeLessThanOrEqual(1);
    expect(recipients.filter((line) => line.includes(`<${other}>`))).toEqual([]);
  });

  it('reads no file and no URL that its content names', async () => {
    const to = address();
    await mailer.send(mailTo(to, { html: '<img src="/etc/hostname"><img src="http://127.0.0.1:9/x">' }));
    expect((await onlyMailTo(to)).html).toContain('<img src="/etc/hostname">');
  });
});

describe('the mail server', () => {
  it('is unavailable if its port is closed', async () => {
    await expect(mailerAt('smtp://127.0.0.1:9').send(mailTo(address()))).rejects.toMatchObject(away);
  });

  it('is unavailable if its name does not resolve', async () => {
    const sent = mailerAt('smtp://mail.invalid:25').send(mailTo(address()));
    await expect(sent).rejects.toMatchObject(awayBecause('the host of SMTP_URL'));
  });

  it.each([
    ['replies 421 at connect', { CONNECT: '421 too busy' }],
    ['takes no mail at all', { CONNECT: '554 no service' }],
    ['replies 421 to the recipient', { RCPT: '421 shutting down' }],
    ['replies 421 to the content', { END: '421 shutting down' }],
    ['has no space for the recipient', { RCPT: '452 mailbox full' }],
    ['defers the sender', { MAIL: '451 try later' }],
    ['greylists the recipient', { RCPT: '450 grey list' }],
    ['has no space', { DATA: '452 no room' }],
    ['defers the content', { END: '451 try later' }],
  ])('is unavailable if it %s', async (what, replies) => {
    const seen: string[] = [];
    await withFaultyServer(smtp(replies, seen), async (port) => {
      const sent = mailerAt(`smtp://127.0.0.1:${port}`).send(mailTo(address()));
      await expect(sent, what).rejects.toMatchObject(away);
    });
  });

  it.each([
    ['550 not your domain', 'MAIL_FROM'],
    ['553 sender not allowed', 'MAIL_FROM'],
    ['530 authentication required', 'SMTP_URL'],
  ])(
    'mail: the server is unavailable if it answers MAIL FROM with %s, and %s is named',
    async (reply, name) => {
      await withFaultyServer(smtp({ MAIL: reply }), async (port) => {
        const sent = mailerAt(`smtp://127.0.0.1:${port}`).send(mailTo(address()));
        await expect(sent).rejects.toMatchObject(awayBecause(name));
      });
    },
  );

  it('mail: the server is unavailable if it asks for a login at the recipient, and SMTP_URL is named', async () => {
    await withFaultyServer(smtp({ RCPT: '530 authentication required' }), async (port) => {
      const sent = mailerAt(`smtp://127.0.0.1:${port}`).send(mailTo(address()));
      await expect(sent).rejects.toMatchObject(awayBecause('SMTP_URL'));
    });
  });

  it('mail: a server that has no time to check the login is unavailable, and no setting is blamed', async () => {
    const replies = { EHLO: '250-here\r\n250 AUTH PLAIN', AUTH: '454 temporary failure' };
    await withFaultyServer(smtp(replies), async (port) => {
      const sent = mailerAt(`smtp://user:password@127.0.0.1:${port}`).send(mailTo(address()));
      await expect(sent).rejects.toMatchObject(awayBecause('does not take mail now'));
    });
  });

  it('is unavailable if it refuses the credentials', async () => {
    const replies = { EHLO: '250-here\r\n250 AUTH PLAIN', AUTH: '535 no' };
    await withFaultyServer(smtp(replies), async (port) => {
      const mailer = mailerAt(`smtp://user:password@127.0.0.1:${port}`);
      await expect(mailer.send(mailTo(address()))).rejects.toMatchObject(awayBecause('password of SMTP_URL'));
    });
  });

  it('is unavailable if it closes the connection in the middle', async () => {
    await withFaultyServer(
      (socket) => {
        socket.write('220 ready\r\n');
        socket.once('data', () => socket.destroy());
      },
      async (port) => {
        const sent = mailerAt(`smtp://127.0.0.1:${port}`).send(mailTo(address()));
        await expect(sent).rejects.toMatchObject(away);
      },
    );
  });

  it('is unavailable if it accepts the connection and stays silent for a few seconds', async () => {
    await withFaultyServer(
      () => undefined,
      async (port) => {
        const startedAt = performance.now();
        const sent = mailerAt(`smtp://127.0.0.1:${port}`).send(mailTo(address()));
        await expect(sent).rejects.toMatchObject(away);
        expect(performance.now() - startedAt).toBeLessThan(8000);
      },
    );
  });

  it.each([
    ['the recipient with 550', { RCPT: '550 no such user' }],
    ['the recipient with 552', { RCPT: '552 mailbox full' }],
    ['the content with 552', { END: '552 too large' }],
    ['the content with 554', { END: '554 looks like spam' }],
  ])('is available if it refuses %s for good', async (what, replies) => {
    await withFaultyServer(smtp(replies), async (port) => {
      const sent = mailerAt(`smtp://127.0.0.1:${port}`).send(mailTo(address()));
      await expect(sent, what).rejects.not.toMatchObject(away);
    });
  });
});
