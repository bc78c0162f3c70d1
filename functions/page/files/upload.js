import { call, send } from './api.js';

/** A function takes no more at once; larger ones go to the storage itself. */
const mostDirect = 4 * 1024 * 1024;
/** At a time: more would only share the same line. */
const most = 2;

let running = 0;
const waiting = [];

/**
 * Uploads a picture when its turn comes.
 *
 * @param key makes a second try of the same upload known as one.
 * @param onProgress is told how much has gone out, from 0 to 1.
 * @returns its id.
 */
export async function upload(file, key, onProgress) {
  if (running >= most) await new Promise((resolve) => waiting.push(resolve));
  else running += 1;
  try {
    return await (file.size <= mostDirect ? direct : viaStorage)(file, key, onProgress);
  } finally {
    // The turn is handed on.
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}

async function direct(file, key, onProgress) {
  const body = new FormData();
  body.set('picture', file);
  const { image_id } = await send('POST', 'pictures', { body, headers: once(key) }, onProgress);
  return image_id;
}

async function viaStorage(file, key, onProgress) {
  const wanted = { content_type: file.type || 'application/octet-stream', bytes: file.size };
  const { image_id, upload: to, complete } = await call('POST', 'uploads', wanted);
  // The length is the browser's to set.
  const headers = Object.entries(to.headers ?? {}).filter(([name]) => !/^(content-length|host)$/i.test(name));
  const request = { body: file, headers: Object.fromEntries(headers), toStorage: true };
  await send(to.method, to.url, request, onProgress);
  await call('POST', complete.replace(/^\//, ''), undefined, once(key));
  return image_id;
}

const once = (key) => ({ 'idempotency-key': key });
