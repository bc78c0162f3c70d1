/** JPEG's markers, the bytes after 0xff. */
const startOfScan = 0xda;
const endOfImage = 0xd9;
/** These stand alone; any other has a length. */
const isAlone = (marker: number) => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);

/**
 * Counts the scans of a JPEG, and looks for its end. A progressive one has about ten scans, and the format allows thousands. For
 * each scan the decoder processes the whole picture again, and it cannot be stopped during that.
 */
export function readScans(jpeg: Buffer): { scans: number; ended: boolean } {
  let scans = 0;
  for (let at = 2; ; ) {
    at = jpeg.indexOf(0xff, at);
    if (at < 0 || at + 1 >= jpeg.length) return { scans, ended: false };
    const marker = jpeg.readUInt8(at + 1);
    if (marker === endOfImage) return { scans, ended: true };
    if (marker === startOfScan) scans += 1;
    // 0xff00 is a byte of a scan's data, and 0xffff the padding before a marker.
    if (marker === 0xff) at += 1;
    else if (marker === 0 || isAlone(marker)) at += 2;
    else if (at + 3 >= jpeg.length) return { scans, ended: false };
    else at += 2 + jpeg.readUInt16BE(at + 2);
  }
}

/** The marker that ends a JPEG. Some cameras and downloads leave it out, and every viewer shows the picture. */
export const endMarker = Buffer.from([0xff, endOfImage]);
