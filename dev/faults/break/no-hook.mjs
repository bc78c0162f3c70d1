// Takes each call of a webhook for accepted, and makes none.
const { fetch } = globalThis;
globalThis.fetch = (url, ...rest) =>
  String(url).endsWith('/hook') ? Promise.resolve(new Response()) : fetch(url, ...rest);
