import uPlot from 'uplot';
import { type ChartData, toPlot } from './chart-data.ts';
import { timeRange } from './time-range.ts';

/** A chart that takes new values. */
export interface Chart {
  show(data: ChartData): void;
  close(): void;
}

const height = 120;
/** Distances between two lines of a grid of counts. */
const steps = Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();
const clock = new Intl.DateTimeFormat('en', { hour: 'numeric', minute: '2-digit', hourCycle: 'h23' });
const dark = matchMedia('(prefers-color-scheme: dark)');

/** Draws lines over time, as wide as the place, in the colors of the page. */
export function createChart(place: HTMLElement, first: ChartData): Chart {
  let data = first;
  let plot = draw(place, data);
  const redraw = () => {
    plot.destroy();
    plot = draw(place, data);
  };
  const observer = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height }));
  observer.observe(place);
  dark.addEventListener('change', redraw);
  return {
    show(next) {
      const isSame = next.lines.length === data.lines.length;
      data = next;
      if (isSame) plot.setData(toPlot(data));
      else redraw();
    },
    close() {
      observer.disconnect();
      dark.removeEventListener('change', redraw);
      plot.destroy();
    },
  };
}

function draw(place: HTMLElement, data: ChartData): uPlot {
  const style = getComputedStyle(place);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const grid = { stroke: color('--line'), width: 1 };
  const axis = { stroke: color('--muted'), font: '11px system-ui', grid, ticks: { show: false } };
  const options: uPlot.Options = {
    width: place.clientWidth,
    height,
    legend: { show: false },
    cursor: { show: false },
    // The last time may stand at the end.
    padding: [8, 18, 0, 0],
    scales: {
      // Without a value, uPlot passes null for both, which its types do not state.
      x: {
        range: (_plot, low: number | null, high: number | null) => timeRange(low, high, Date.now() / 1000),
      },
      y: { range: (_plot, _low, high) => [0, Math.max(high * 1.1, 1)] },
    },
    axes: [
      { ...axis, size: 24, values: (_plot, at) => at.map((seconds) => clock.format(seconds * 1000)) },
      { ...axis, size: 44, ...(data.areCounts && { incrs: steps }) },
    ],
    series: [
      {},
      ...data.lines.map(({ color: name }, n) => ({
        stroke: color(name),
        width: 1.5,
        points: { show: false },
        ...(n === 0 && { fill: `${color(name)}22` }),
      })),
    ],
  };
  return new uPlot(options, toPlot(data), place);
}
