/** A text in UTF-16 behind its byte order mark, as .NET (`le`) and Java (`be`) write it. */
export function utf16(text: string, order: 'le' | 'be'): Buffer {
  const bytes = Buffer.from(`\ufeff${text}`, 'utf16le');
  return order === 'le' ? bytes : bytes.swap16();
}
