const [width, height, left, right, top, bottom] = [430, 330, 62, 20, 44, 44];

const colors = { lambda: '#e8590c', containers: '#1c7ed6' };
/** Short names of the limits, for their lines. */
const names = {
  'one call at a time of the mapping on AWS': 'mapping on AWS',
  'calls at a time of Lambda': 'quota of Lambda',
};

/**
 * A plot for each kind of work: its cost by messages a second, and a line at each limit that it meets; and one of the measured
 * workers. Readable on light and dark pages.
 *
 * @param works each with its name, rows of `demand` and limits of `breaks`.
 * @param workers the measurement of scale-workers.mjs.
 */
export function plotScale(works, workers) {
  const plots = [...works.map(drawCosts), drawWorkers(workers)];
  const drawn = plots.map((plot, n) => {
    const [x, y] = [(n % 2) * width, Math.floor(n / 2) * height];
    return `<g transform="translate(${x} ${y})">${plot}</g>`;
  });
  const size = `0 0 ${width * 2} ${height * Math.ceil(plots.length / 2)}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${size}" font-family="sans-serif" font-size="11">
  <style>svg { color: #212529; background: #fff } text { fill: currentColor }
    @media (prefers-color-scheme: dark) { svg { color: #f1f3f5; background: #212529 } }</style>
${drawn.join('\n')}
</svg>
`;
}

/** A scale from powers of ten to pixels. */
const decades = (least, most, from, to) => (value) =>
  (from + ((Math.log10(value) - least) / (most - least)) * (to - from)).toFixed(1);

const short = (power) => ['1', '10', '100', '1k', '10k', '100k', '1M', '10M', '100M'][power] ?? `1e${power}`;

function frame(title, xTicks, yTicks) {
  const lines = yTicks.map(
    ({ at, text }) => `<path d="M${left} ${at}H${width - right}" stroke="currentColor" opacity="0.12"/>
  <text x="${left - 6}" y="${Number(at) + 4}" text-anchor="end">${text}</text>`,
  );
  const labels = xTicks.map(
    ({ at, text }) => `<text x="${at}" y="${height - bottom + 16}" text-anchor="middle">${text}</text>`,
  );
  return `<text x="${left}" y="18" font-weight="bold" font-size="13">${title}</text>
  <path d="M${left} ${top}V${height - bottom}H${width - right}" fill="none" stroke="currentColor" opacity="0.4"/>
  ${[...lines, ...labels].join('\n  ')}`;
}

const line = (points, color) =>
  `<polyline points="${points.join(' ')}" fill="none" stroke="${color}" stroke-width="2"/>`;

function legend(entries, unit) {
  const parts = entries.map(([color, text]) => `<tspan fill="${color}">■</tspan> ${text}`);
  return `<text x="${left}" y="36">${parts.join('  ')}</text>
  <text x="${width - right}" y="${height - 10}" text-anchor="end">${unit}</text>`;
}

function drawCosts({ name, rows, limits }) {
  const costs = rows.flatMap((row) => [row.lambdaMonthly, row.containersMonthly]);
  const least = Math.max(-1, Math.floor(Math.log10(Math.min(...costs))));
  const most = Math.ceil(Math.log10(Math.max(...costs)));
  const x = decades(0, 6, left, width - right);
  const y = decades(least, most, height - bottom, top);
  const powers = Array.from({ length: most - least + 1 }, (_, n) => least + n);
  const yTicks = powers.map((power) => ({
    at: y(10 ** power),
    text: power < 0 ? `$${10 ** power}` : `$${short(power)}`,
  }));
  const xTicks = [0, 1, 2, 3, 4, 5, 6].map((power) => ({ at: x(10 ** power), text: short(power) }));
  const cost = (key) => rows.map((row) => `${x(row.rate)},${y(Math.max(row[key], 10 ** least))}`);
  let taken = 0;
  const marks = limits
    .filter(({ rate }) => rate >= 1 && rate <= 1e6)
    .map(({ limit, rate }) => {
      // Right of its line, and right of the name before; the last one has room on its left only.
      taken = Math.min(Math.max(Number(x(rate)), taken) + 11, width - right - 3);
      return `<path d="M${x(rate)} ${top}V${height - bottom}" stroke="currentColor" stroke-dasharray="3 3" opacity="0.5"/>
  <text transform="translate(${taken} ${height - bottom - 6}) rotate(-90)" font-size="10">${names[limit] ?? limit}</text>`;
    });
  const entries = [
    [colors.lambda, 'Lambda'],
    [colors.containers, 'containers, $ a month'],
  ];
  return `${frame(name, xTicks, yTicks)}
  ${marks.join('\n  ')}
  ${line(cost('lambdaMonthly'), colors.lambda)}
  ${line(cost('containersMonthly'), colors.containers)}
  ${legend(entries, 'messages a second')}`;
}

/** CPU time, because messages a second depend on what else the machine did. */
function drawWorkers({ rows }) {
  const own = rows.filter(({ queues }) => queues === 'each');
  const most = Math.max(...own.map((row) => Math.max(row.workerUs, row.publishUs + row.consumeUs))) * 1.1;
  const step = 10 ** Math.floor(Math.log10(most)) / 2;
  const y = (value) => (height - bottom - (value / most) * (height - bottom - top)).toFixed(1);
  const x = (workers) => (left + (Math.log2(workers) / 4) * (width - right - left)).toFixed(1);
  const ticks = Array.from({ length: Math.floor(most / step) + 1 }, (_, n) => n * step);
  const points = (cpuOf) => own.map((row) => `${x(row.workers)},${y(cpuOf(row))}`);
  const entries = [
    [colors.lambda, 'workers'],
    [colors.containers, 'broker, us of CPU time for a message'],
  ];
  return `${frame(
    'Measured: workers on one broker, a queue each',
    own.map(({ workers }) => ({ at: x(workers), text: String(workers) })),
    ticks.map((value) => ({ at: y(value), text: value.toLocaleString('en') })),
  )}
  ${line(
    points((row) => row.workerUs),
    colors.lambda,
  )}
  ${line(
    points((row) => row.publishUs + row.consumeUs),
    colors.containers,
  )}
  ${legend(entries, 'workers')}`;
}
