import { createHash } from 'node:crypto';
import escapeHtml from 'escape-html';
import type { HttpReply } from './function.ts';

const style =
  ':root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:10vh auto;padding:0 1rem}button{font:inherit;padding:.6rem 1.2rem}';

/** The policy of such a page: its own style, and a form to its own origin, which has no TLS on a development machine. */
export const pagePolicy = {
  'style-src': `'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  'form-action': "'self'",
  sandbox: 'allow-forms allow-same-origin',
  'upgrade-insecure-requests': undefined,
};

/** Returns a small HTML page, for a route that a mail links to. */
export function page(
  status: number,
  { title, text, button }: { title: string; text: string; button?: string },
): HttpReply {
  const form = button ? `<form method="post"><button>${escapeHtml(button)}</button></form>\n` : '';
  return {
    statusCode: status,
    headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' },
    body: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(text)}</p>
${form}</main>
</body>
</html>
`,
  };
}
