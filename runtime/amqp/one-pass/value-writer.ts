/** Bytes of the frames of one message without its body; amqplib has to write longer ones. */
const maxBytes = 16_384;
/** UTF-8 has at most so many bytes for a UTF-16 unit. */
const bytesPerUnit = 3;
/** Texts up to this length are written by their characters: a call of Buffer's own function takes longer. */
const shortUnits = 64;
/** Integers that amqplib writes as an `int` or shorter. */
const [minInt, maxInt] = [-0x80000000, 0x80000000];

const [text, bool, int8, short, int, nothing] = [...'StbsIV'].map((tag) => tag.charCodeAt(0)) as [
  number,
  number,
  number,
  number,
  number,
  number,
];

/**
 * Writes values of AMQP into a buffer that is used again and again. After a value that it cannot write, or that does not fit, `end`
 * returns undefined.
 */
export class ValueWriter {
  at = 0;
  readonly #bytes = Buffer.alloc(maxBytes);
  #isRefused = false;

  begin(): void {
    this.at = 0;
    this.#isRefused = false;
  }

  /** A copy of all that was written. */
  end(): Buffer | undefined {
    if (this.#isRefused || this.at > maxBytes) return undefined;
    const copy = Buffer.allocUnsafe(this.at);
    this.#bytes.copy(copy, 0, 0, this.at);
    return copy;
  }

  // A typed array ignores what is written beyond its end, and `end` notices it.

  uint8(value: number): void {
    this.#bytes[this.at++] = value;
  }

  uint16(value: number): void {
    this.uint16At(this.at, value);
    this.at += 2;
  }

  uint32(value: number): void {
    this.uint32At(this.at, value);
    this.at += 4;
  }

  uint16At(at: number, value: number): void {
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  uint32At(at: number, value: number): void {
    this.#bytes[at] = value >>> 24;
    this.#bytes[at + 1] = value >>> 16;
    this.#bytes[at + 2] = value >>> 8;
    this.#bytes[at + 3] = value;
  }

  /** A number that may come from anywhere. */
  octet(value: unknown): void {
    if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < 256)
      this.uint8(value as number);
    else this.#isRefused = true;
  }

  /** As `octet`. */
  uint64(value: unknown): void {
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      this.#isRefused = true;
      return;
    }
    this.uint32(Math.floor((value as number) / 0x100000000));
    this.uint32((value as number) >>> 0);
  }

  bytes(value: Buffer): void {
    if (this.at + value.length <= maxBytes) value.copy(this.#bytes, this.at);
    this.at += value.length;
  }

  /** A text of at most 255 bytes, with its length in one byte. */
  shortText(value: unknown): void {
    const begin = this.at;
    this.at += 1;
    this.#text(value);
    const length = this.at - begin - 1;
    if (length > 255) this.#isRefused = true;
    this.#bytes[begin] = length;
  }

  /** Writes a short text unless it is undefined. @returns whether it did. */
  optional(value: unknown): boolean {
    if (value === undefined) return false;
    this.shortText(value);
    return true;
  }

  /** A field table whose values are texts, integers, booleans and null, as amqplib writes it. */
  table(fields: unknown): void {
    if (typeof fields !== 'object' || fields === null) {
      this.#isRefused = true;
      return;
    }
    const begin = this.at;
    this.at += 4;
    // With inherited ones, as amqplib.
    for (const name in fields) {
      const value = (fields as Record<string, unknown>)[name];
      if (value === undefined) continue;
      this.shortText(name);
      this.#value(value);
    }
    this.uint32At(begin, this.at - begin - 4);
  }

  #value(value: unknown): void {
    if (typeof value === 'string') {
      this.uint8(text);
      const begin = this.at;
      this.at += 4;
      this.#text(value);
      this.uint32At(begin, this.at - begin - 4);
    } else if (typeof value === 'boolean') {
      this.uint8(bool);
      this.uint8(value ? 1 : 0);
    } else if (typeof value === 'number') this.#number(value);
    else if (value === null) this.uint8(nothing);
    else this.#isRefused = true;
  }

  #number(value: number): void {
    if (!Number.isInteger(value) || value < minInt || value >= maxInt) this.#isRefused = true;
    else if (value >= -0x80 && value < 0x80) {
      this.uint8(int8);
      this.uint8(value);
    } else if (value >= -0x8000 && value < 0x8000) {
      this.uint8(short);
      this.uint16(value);
    } else {
      this.uint8(int);
      this.uint32(value);
    }
  }

  #text(value: unknown): void {
    if (typeof value !== 'string' || this.at + value.length * bytesPerUnit > maxBytes) {
      this.#isRefused = true;
      return;
    }
    if (value.length > shortUnits || !this.#ascii(value)) this.at += this.#bytes.write(value, this.at);
  }

  /** @returns whether the text has only characters of ASCII, and was written. */
  #ascii(value: string): boolean {
    const bytes = this.#bytes;
    const { at } = this;
    for (let index = 0; index < value.length; index += 1) {
      const unit = value.charCodeAt(index);
      if (unit > 0x7f) return false;
      bytes[at + index] = unit;
    }
    this.at = at + value.length;
    return true;
  }
}
