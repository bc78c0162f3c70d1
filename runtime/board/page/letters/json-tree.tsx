import { useState } from 'preact/hooks';
import { count } from '../format.tsx';
import { ExactNumber } from './exact-json.ts';

/** Children that are drawn at first, and levels that are open at first. */
const [maxChildren, openLevels] = [100, 3];

/** A JSON value as a tree that opens and closes. */
export function JsonTree({ value }: { value: unknown }) {
  return (
    <div class="tree">
      <Node name={undefined} value={value} level={0} />
    </div>
  );
}

interface NodeProps {
  name: string | undefined;
  value: unknown;
  level: number;
}

function Node({ name, value, level }: NodeProps) {
  const [isOpen, setOpen] = useState(level < openLevels);
  const [limit, setLimit] = useState(maxChildren);
  const label = name !== undefined && <span class="name">{name}: </span>;
  if (value instanceof ExactNumber || typeof value !== 'object' || value === null) {
    const isExact = value instanceof ExactNumber;
    return (
      <div class="leaf">
        {label}
        <span class={isExact ? 'number' : value === null ? 'null' : typeof value}>
          {isExact ? value.text : JSON.stringify(value)}
        </span>
      </div>
    );
  }
  const isList = Array.isArray(value);
  const children = Object.entries(value);
  return (
    <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {label}
        <span class="muted">{isList ? `[${count(children.length)}]` : `{${count(children.length)}}`}</span>
      </summary>
      {/* Closed branches are not drawn, because a body may have megabytes. */}
      {isOpen &&
        children
          .slice(0, limit)
          .map(([key, child]) => <Node key={key} name={key} value={child} level={level + 1} />)}
      {isOpen && children.length > limit && (
        <button type="button" class="link" onClick={() => setLimit(limit + 1000)}>
          {count(children.length - limit)} more
        </button>
      )}
    </details>
  );
}
