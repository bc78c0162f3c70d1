import { createTransport } from 'nodemailer';

/** Has mails that `isLost` taken for sent, and not sent. */
export function pretend(isLost) {
  const { prototype } = createTransport({}).constructor;
  const { sendMail } = prototype;
  prototype.sendMail = function (mail, ...rest) {
    return isLost(mail) ? Promise.resolve({}) : sendMail.call(this, mail, ...rest);
  };
}
