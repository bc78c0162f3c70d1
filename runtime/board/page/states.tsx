import type { ComponentChildren } from 'preact';
import { ApiError } from './api.ts';

/** What a view shows in place of data. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="state">
      <h2>{title}</h2>
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

/** An error, with its title and what the board reports about it. */
export function Failed({ problem, again }: { problem: unknown; again?: () => void }) {
  const title = problem instanceof ApiError ? problem.title : 'Something went wrong';
  return (
    <div class="trouble" role="alert">
      <strong>{title}</strong>
      <p>{problem instanceof Error ? problem.message : String(problem)}</p>
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}
