import type { ComponentChildren } from 'preact';
import { ApiError } from './api.ts';

interface EmptyProps {
  title: string;
  /** Whether it is all that a view shows, so that it has the first heading. */
  isView?: boolean;
  children?: ComponentChildren;
}

/** What a view shows in place of data. */
export function Empty({ title, isView = false, children }: EmptyProps) {
  const Title = isView ? 'h1' : 'h2';
  return (
    <div class="state">
      <Title>{title}</Title>
      {children}
    </div>
  );
}

/** Bars in place of rows that are still loading. */
export function Loading({ label, rows = 6 }: { label: string; rows?: number }) {
  return (
    <div class="loading" role="status">
      <span class="unseen">{label}</span>
      {Array.from({ length: rows }, (_, row) => (
        <span class="bar" key={row} />
      ))}
    </div>
  );
}

interface FailedProps {
  problem: unknown;
  again?: () => void;
  /** Whether it is all that a view shows, so that it has the first heading. */
  isView?: boolean;
}

/** An error, with its title and what the board reports about it. */
export function Failed({ problem, again, isView = false }: FailedProps) {
  const Title = isView ? 'h1' : 'strong';
  const title = problem instanceof ApiError ? problem.title : 'Something went wrong';
  return (
    <div class="trouble" role="alert">
      <Title>{title}</Title>
      <p>{problem instanceof Error ? problem.message : String(problem)}</p>
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}
