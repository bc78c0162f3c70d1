import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';

/** Height of a row in pixels, the same as in the style sheet. */
export const rowHeight = 52;
/** Rows that are drawn above and below the visible ones. */
const spare = 8;

/** The rows that are drawn: from `first` up to and without `end`. */
export interface Window {
  first: number;
  end: number;
}

/** Follows which rows of a long list are visible. */
export function useWindow(scroller: RefObject<HTMLElement | null>, rows: number): Window {
  const [visible, setVisible] = useState({ top: 0, height: 800 });
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    const measure = () => setVisible({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener('scroll', measure, { passive: true });
    measure();
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', measure);
    };
  }, [scroller]);
  const first = Math.max(0, Math.floor(visible.top / rowHeight) - spare);
  const end = Math.min(rows, Math.ceil((visible.top + visible.height) / rowHeight) + spare);
  return { first: Math.min(first, rows), end };
}

/** Scrolls as far as needed to show a row. */
export function useVisibleRow(scroller: RefObject<HTMLElement | null>, row: number): void {
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const [top, bottom] = [row * rowHeight, (row + 1) * rowHeight];
    if (top < element.scrollTop) element.scrollTop = top;
    else if (bottom > element.scrollTop + element.clientHeight)
      element.scrollTop = bottom - element.clientHeight;
  }, [scroller, row]);
}
