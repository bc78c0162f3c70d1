/** Counts over time as bars. A screen reader has the numbers in the text beside it. */
export function Sparkline({ counts = [] }: { counts?: number[] | undefined }) {
  const highest = Math.max(...counts, 1);
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${Math.max(counts.length, 1)} 20`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {counts.map((value, n) => {
        const height = value === 0 ? 0.6 : Math.max(2, (value / highest) * 20);
        return (
          <rect
            key={n}
            class={value === 0 ? 'zero' : ''}
            x={n + 0.1}
            y={20 - height}
            width={0.8}
            height={height}
          />
        );
      })}
    </svg>
  );
}
