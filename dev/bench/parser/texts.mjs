const empty = Buffer.alloc(0);

/** A short text that is mostly the same as the last one at this place. */
export class Repeated {
  #bytes = empty;
  #text = '';

  read(buffer, start, end) {
    const bytes = this.#bytes;
    if (bytes.length === end - start) {
      let at = 0;
      while (at < bytes.length && bytes[at] === buffer[start + at]) at += 1;
      if (at === bytes.length) return this.#text;
    }
    this.#bytes = Buffer.from(buffer.subarray(start, end));
    this.#text = buffer.utf8Slice(start, end);
    return this.#text;
  }
}

/** Texts of a small set, such as the names of headers. */
export class Known {
  #texts = new Map();

  read(buffer, start, end) {
    let hash = end - start;
    for (let at = start; at < end; at += 1) hash = (Math.imul(hash, 31) + buffer[at]) | 0;
    const known = this.#texts.get(hash);
    if (known !== undefined && same(known.bytes, buffer, start, end)) return known.text;
    const text = buffer.utf8Slice(start, end);
    if (this.#texts.size < 1000)
      this.#texts.set(hash, { bytes: Buffer.from(buffer.subarray(start, end)), text });
    return text;
  }
}

function same(bytes, buffer, start, end) {
  if (bytes.length !== end - start) return false;
  for (let at = 0; at < bytes.length; at += 1) if (bytes[at] !== buffer[start + at]) return false;
  return true;
}
