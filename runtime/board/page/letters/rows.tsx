// biome-ignore-all lint/a11y/useSemanticElements: a table would need all of its rows.
// biome-ignore-all lint/a11y/useFocusableInteractive: in this grid, the rows have the focus.
// biome-ignore-all lint/a11y/useKeyWithClickEvents: the keys belong to the rows.
import { useEffect, useRef } from 'preact/hooks';
import type { LetterSummary } from '../../api-types.ts';
import { bytes, When } from '../format.tsx';
import { useKeys } from '../keys.ts';
import type { Place } from './place.ts';
import { rowHeight, useVisibleRow, useWindow } from './virtual.ts';

interface RowsProps {
  letters: LetterSummary[];
  label: string;
  /** Whether rows show their queue and error: not in a group, in which all have the same. */
  isMixed: boolean;
  /** Whether rows can be selected, which only helps a user who may act. */
  canSelect: boolean;
  /** Whether the active row gets the focus at first. */
  isFocused: boolean;
  active: number;
  selected: ReadonlySet<number>;
  change: (next: (place: Place) => Partial<Place>) => void;
  open: (offset: number) => void;
}

/** Dead letters as a grid that draws only the visible rows. */
export function Rows(props: RowsProps) {
  const { letters, label, isMixed, canSelect, isFocused, active, selected, change, open } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const hadKey = useRef(isFocused);
  const { first, end } = useWindow(scroller, letters.length);
  useVisibleRow(scroller, active);
  const current = Math.min(active, letters.length - 1);
  const to = (next: (row: number) => number) => () => {
    hadKey.current = true;
    change((place) => ({ active: Math.min(Math.max(next(place.active), 0), letters.length - 1) }));
  };
  const toggle = (offset: number | undefined, { selected: before }: Place): Partial<Place> => {
    const after = new Set(before);
    if (offset !== undefined && !after.delete(offset)) after.add(offset);
    return { selected: after };
  };
  const toggleActive = () => change((place) => toggle(letters[place.active]?.offset, place));
  useKeys({
    j: to((row) => row + 1),
    ArrowDown: to((row) => row + 1),
    k: to((row) => row - 1),
    ArrowUp: to((row) => row - 1),
    PageDown: to((row) => row + 10),
    PageUp: to((row) => row - 10),
    Home: to(() => 0),
    End: to(() => letters.length - 1),
    ...(canSelect && { x: toggleActive, ' ': toggleActive }),
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
      aria-multiselectable={canSelect}
      ref={scroller}
    >
      <div class="rows-all" role="rowgroup" style={{ height: `${letters.length * rowHeight}px` }}>
        {letters.slice(first, end).map((letter, n) => (
          <Row
            key={letter.offset}
            letter={letter}
            isMixed={isMixed}
            canSelect={canSelect}
            open={open}
            toggle={(offset) => change((place) => toggle(offset, place))}
            row={first + n}
            isActive={first + n === current}
            isSelected={selected.has(letter.offset)}
            focused={() => change(() => ({ active: first + n }))}
          />
        ))}
      </div>
    </div>
  );
}

interface RowProps extends Pick<RowsProps, 'isMixed' | 'canSelect' | 'open'> {
  toggle: (offset: number) => void;
  letter: LetterSummary;
  row: number;
  isActive: boolean;
  isSelected: boolean;
  focused: () => void;
}

function Row(props: RowProps) {
  const { letter, row, isMixed, canSelect, isActive, isSelected, focused, open, toggle } = props;
  const { offset, id, queue, reason, error, failed_at: at, bytes: size } = letter;
  return (
    <div
      class={canSelect ? 'row' : 'row read-only'}
      role="row"
      aria-rowindex={row + 1}
      aria-selected={canSelect ? isSelected : undefined}
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
      {canSelect && (
        <span class="pick" role="gridcell" onClick={(event) => event.stopPropagation()}>
          <input
            type="checkbox"
            tabIndex={-1}
            checked={isSelected}
            aria-label={`Select ${id}`}
            onChange={() => toggle(offset)}
          />
        </span>
      )}
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
