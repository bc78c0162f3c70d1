/** Ratios as horizontal bars, readable on light and dark pages. */
export function plot({ title, rows }) {
  const bar = 24;
  const gap = 10;
  const left = 300;
  const width = 760;
  const most = Math.max(...rows.map(({ most: value }) => value), 1);
  const x = (ratio) => left + (ratio / most) * (width - left - 70);
  const height = 70 + rows.length * (bar + gap);
  const bars = rows.map(({ name, ratio, least, most: highest }, index) => {
    const y = 50 + index * (bar + gap);
    const fill = name.startsWith('Warren') ? '#e8590c' : '#868e96';
    return `  <text x="${left - 10}" y="${y + 17}" text-anchor="end">${asText(name)}</text>
  <rect x="${left}" y="${y}" width="${(x(ratio) - left).toFixed(1)}" height="${bar}" fill="${fill}"/>
  <path d="M${x(least).toFixed(1)} ${y + bar / 2}H${x(highest).toFixed(1)}" stroke="currentColor" stroke-width="1.5"/>
  <text x="${(x(highest) + 8).toFixed(1)}" y="${y + 17}">${ratio.toFixed(2)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="14">
  <title>${asText(title)}</title>
  <style>svg { color: #212529; background: #fff } text { fill: currentColor }
    @media (prefers-color-scheme: dark) { svg { color: #f1f3f5; background: #212529 } }</style>
  <text x="${left}" y="26" font-weight="bold">${asText(title)}: times ${asText(rows[0].against)}</text>
${bars.join('\n')}
  <path d="M${x(1).toFixed(1)} 42V${height - 12}" stroke="currentColor" stroke-dasharray="4 4"/>
</svg>
`;
}

const asText = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
