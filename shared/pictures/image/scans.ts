/** JPEG's markers, the bytes after 0xff. */
const startOfScan = 0xda;
const endOfImage = 0xd9;
/** These stand alone; any other has a length. */
const isAlone = (marker: number) => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);

/**
 * Counts the scans of a JPEG. A progressive one has about ten, and the format allows thousands. For each scan the decoder
 * processes the whole picture again, and it cannot be stopped during that.
 */
export function countScans(jpeg: Buffer): number {
  let scans = 0;
  for (let at = 2; ; ) {
    at = jpeg.indexOf(0xff, at);
    if (at < 0 || at + 3 >= jpeg.length) return scans;
    const marker = jpeg.readUInt8(at + 1);
    if (marker === endOfImage) return scans;
    if (marker === startOfScan) scans += 1;
    // 0xff00 is a byte of a scan's data, and 0xffff the padding before a marker.
    if (marker === 0xff) at += 1;
    else if (marker === 0 || isAlone(marker)) at += 2;
    else at += 2 + jpeg.readUInt16BE(at + 2);
  }
}
