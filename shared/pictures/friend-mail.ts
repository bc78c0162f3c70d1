import escapeHtml from 'escape-html';

export interface FriendMail {
  /** Name of the user who uploaded the picture. */
  from: string;
  friend: { name: string; email: string };
  pictureId: number;
  /** The link that unsubscribes the friend. */
  link: string;
}

/** The mail to a friend about a new picture. */
export function friendMail({ from, friend, pictureId, link }: FriendMail) {
  const lines = [`Hello ${friend.name},`, `${from} has uploaded a new picture (number ${pictureId}).`];
  const html = lines.map((line) => `<p>${escapeHtml(line)}</p>\n`).join('');
  return {
    to: friend.email,
    subject: `${from} has uploaded a new picture`,
    text: `${lines.join('\n\n')}\n\nNo more of these mails: ${link}\n`,
    html: `${html}<p><a href="${escapeHtml(link)}">No more of these mails</a></p>\n`,
    unsubscribeUrl: link,
  };
}
