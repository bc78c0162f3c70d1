const [width, height, left, top] = [360, 220, 60, 40];

/** Small line plots side by side, readable on light and dark pages; `x` is logarithmic, and `y` too unless it is `flat`. */
export function plotLines(plots) {
  const columns = 2;
  const lines = Math.ceil(plots.length / columns);
  const drawn = plots.map((plot, index) => {
    const [x, y] = [(index % columns) * width, Math.floor(index / columns) * height];
    return `<g transform="translate(${x} ${y})">${draw(plot)}</g>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width * columns} ${height * lines}" font-family="sans-serif" font-size="11">
  <style>svg { color: #212529; background: #fff } text { fill: currentColor }
    @media (prefers-color-scheme: dark) { svg { color: #f1f3f5; background: #212529 } }</style>
${drawn.join('\n')}
</svg>
`;
}

function draw({ title, x, y, rows, flat = false }) {
  const scale = (values, from, to, isFlat) => {
    const of = isFlat ? (value) => value : Math.log10;
    const least = isFlat ? 0 : of(Math.min(...values));
    const most = of(Math.max(...values) * (isFlat ? 1.1 : 1));
    return (value) => from + ((of(value) - least) / (most - least || 1)) * (to - from);
  };
  const xAt = scale(
    rows.map((row) => row[x]),
    left,
    width - 30,
    false,
  );
  const yAt = scale(
    rows.map((row) => row[y]),
    height - 40,
    top,
    flat,
  );
  const points = rows.map((row) => [xAt(row[x]).toFixed(1), yAt(row[y]).toFixed(1), row]);
  const marks = points.map(
    ([px, py, row]) => `<circle cx="${px}" cy="${py}" r="3" fill="#e8590c"/>
  <text x="${px}" y="${Number(py) - 8}" text-anchor="middle">${row[y] < 10 ? row[y].toFixed(1) : Math.round(row[y])}</text>
  <text x="${px}" y="${height - 22}" text-anchor="middle">${row[x].toLocaleString('en')}</text>`,
  );
  return `<text x="${left}" y="20" font-weight="bold" font-size="13">${title}</text>
  <path d="M${left} ${top}V${height - 38}H${width - 20}" fill="none" stroke="currentColor" opacity="0.4"/>
  <polyline points="${points.map(([px, py]) => `${px},${py}`).join(' ')}" fill="none" stroke="#e8590c" stroke-width="2"/>
  ${marks.join('\n  ')}`;
}
