// biome-ignore-all lint/a11y/useSemanticElements: a table would need all of its rows.
// biome-ignore-all lint/a11y/useFocusableInteractive: in this grid, the rows have the focus.
// biome-ignore-all lint/a11y/useKeyWithClickEvents: the keys belong to the rows.
import { useEffect, useRef } from 'preact/hooks';
import type { LetterSummary } from '../../api-types.ts';
import { bytes, When } from '../format.tsx';
import { useKeys } from '../keys.ts';
import { rowHeight, useVisibleRow, useWindow } from './virtual.ts';

interface RowsProps {
  letters: LetterSummary[];
  label: string;
  /** Whether rows show their queue and error: not in a group, in which all have the same. */
  isMixed: boolean;
  /** Whether the active row gets the focus at first. */
  isFocused: boolean;
  /** Index of the row that has the focus, or gets it. */
  active: number;
  setActive: (row: number) => void;
  selected: ReadonlySet<number>;
  toggle: (offset: number) => void;
  open: (offset: number) => void;
}

/** Dead letters as a grid that draws only the visible rows. */
export function Rows({
  letters,
  label,
  isMixed,
  isFocused,
  active,
  setActive,
  selected,
  toggle,
  open,
}: RowsProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const hadKey = useRef(isFocused);
  const { first, end } = useWindow(scroller, letters.length);
  useVisibleRow(scroller, active);
  const current = Math.min(active, letters.length - 1);
  const to = (row: number) => () => {
    hadKey.current = true;
    setActive(Math.min(Math.max(row, 0), letters.length - 1));
  };
  const act = (does: (offset: number) => void) => () => {
    const letter = letters[current];
    if (letter) does(letter.offset);
  };
  useKeys({
    j: to(current + 1),
    ArrowDown: to(current + 1),
    k: to(current - 1),
    ArrowUp: to(current - 1),
    PageDown: to(current + 10),
    PageUp: to(current - 10),
    Home: to(0),
    End: to(letters.length - 1),
    x: act(toggle),
    ' ': act(toggle),
  });
  // The row may be drawn only after the list has scrolled.
  useEffect(() => {
    if (!hadKey.current) return;
    const row = scroller.current?.querySelector<HTMLElement>(`[data-row="${current}"]`);
    if (!row) return;
    hadKey.current = false;
    row.focus({ preventScroll: true });
  }, [current, first, end]);
  return (
    <div
      class="rows-scroller"
      role="grid"
      aria-label={label}
      aria-rowcount={letters.length}
      aria-multiselectable="true"
      ref={scroller}
    >
      <div class="rows-all" role="rowgroup" style={{ height: `${letters.length * rowHeight}px` }}>
        {letters.slice(first, end).map((letter, n) => (
          <Row
            key={letter.offset}
            {...{ letter, isMixed, open, toggle }}
            row={first + n}
            isActive={first + n === current}
            isSelected={selected.has(letter.offset)}
            focused={() => setActive(first + n)}
          />
        ))}
      </div>
    </div>
  );
}

interface RowProps extends Pick<RowsProps, 'isMixed' | 'open' | 'toggle'> {
  letter: LetterSummary;
  row: number;
  isActive: boolean;
  isSelected: boolean;
  focused: () => void;
}

function Row({ letter, row, isMixed, isActive, isSelected, focused, open, toggle }: RowProps) {
  const { offset, id, queue, reason, error, failed_at: at, bytes: size } = letter;
  return (
    <div
      class="row"
      role="row"
      aria-rowindex={row + 1}
      aria-selected={isSelected}
      tabIndex={isActive ? 0 : -1}
      data-row={row}
      style={{ transform: `translateY(${row * rowHeight}px)` }}
      onFocus={focused}
      onClick={() => open(offset)}
      onKeyDown={(event) => {
        // Enter on the box belongs to the box.
        if (event.key === 'Enter' && event.target === event.currentTarget) open(offset);
      }}
    >
      <span class="pick" role="gridcell" onClick={(event) => event.stopPropagation()}>
        <input
          type="checkbox"
          tabIndex={-1}
          checked={isSelected}
          aria-label={`Select ${id}`}
          onChange={() => toggle(offset)}
        />
      </span>
      <span class="what" role="gridcell">
        <span class="id">{id}</span>
        {isMixed && (
          <span class="meta">
            <span class="queue">{queue}</span> {error ?? reason}
          </span>
        )}
      </span>
      <span class="size" role="gridcell">
        {bytes(size)}
      </span>
      <span class="at" role="gridcell">
        <When at={at} />
      </span>
    </div>
  );
}
