import type { Problems } from '../api-types.ts';
import { usePolling } from './polling.ts';

/** Mistakes in the code and in serverless.yml, beside `warren dev`. */
export function ProjectProblems() {
  const { data } = usePolling<Problems>('/api/problems', 1000);
  if (!data || data.problems.length === 0) return null;
  return (
    <div class="trouble" role="alert">
      <strong>Not reloaded</strong>
      {data.problems.map((problem) => (
        <pre key={problem}>{problem}</pre>
      ))}
    </div>
  );
}
