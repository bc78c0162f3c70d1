import { createRequire } from 'node:module';

const Mailer = createRequire(import.meta.url)('nodemailer/lib/mailer');

/** Has mails that `isLost` taken for sent, and not sent. */
export function pretend(isLost) {
  const { sendMail } = Mailer.prototype;
  Mailer.prototype.sendMail = function (mail, ...rest) {
    return isLost(mail) ? Promise.resolve({}) : sendMail.call(this, mail, ...rest);
  };
}
