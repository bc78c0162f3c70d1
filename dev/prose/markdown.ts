import { blank, blankCode, type Passage } from './passage.ts';

/**
 * Reads a Markdown page as one passage. Code, HTML, addresses and link targets are not prose. A block that is code only
 * because of its indentation counts as prose: the pages of this repository have fences.
 */
export function markdownPassages(source: string): Passage[] {
  const prose = blank(
    blankCode(source),
    /<!--[\s\S]*?-->/g,
    /<\/?[a-z][^>]*>/gi,
    /(?<=\])\([^)\s]*(?:\s"[^"]*")?\)/g,
    /^\[[^\]]+\]:.*$/gm,
  );
  return [{ category: 'docs', start: 0, text: source, prose }];
}
