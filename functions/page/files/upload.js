import { call, send } from './api.js';

/** A function accepts at most this many bytes; larger pictures are uploaded to the storage directly. */
const maxDirectBytes = 4 * 1024 * 1024;
/** Concurrent uploads. More would only share the same bandwidth. */
const maxUploads = 2;

let running = 0;
const waiting = [];

/**
 * Uploads a picture as soon as a slot is free.
 *
 * @param key identifies repeated attempts of the same upload.
 * @param onProgress is called with the fraction that was sent, from 0 to 1.
 * @returns its id.
 */
export async function upload(file, key, onProgress) {
  if (running >= maxUploads) await new Promise((resolve) => waiting.push(resolve));
  else running += 1;
  try {
    return await (file.size <= maxDirectBytes ? direct : viaStorage)(file, key, onProgress);
  } finally {
    // The next upload takes this slot.
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
  // The browser sets the length itself.
  const headers = Object.entries(to.headers ?? {}).filter(([name]) => !/^(content-length|host)$/i.test(name));
  const request = { body: file, headers: Object.fromEntries(headers), toStorage: true };
  await send(to.method, to.url, request, onProgress);
  await call('POST', complete.replace(/^\//, ''), undefined, once(key));
  return image_id;
}

const once = (key) => ({ 'idempotency-key': key });
