import { Histogram, type HistogramConfiguration, type OpenMetricsContentType, Registry } from 'prom-client';

/** Metrics of a process that can be scraped. */
export interface ReadableMetrics {
  /**
   * Returns all metrics as text, with its media type.
   *
   * @param accept header `Accept` of the request, default Prometheus's own format. OpenMetrics has exemplars as well.
   */
  read(accept?: string): Promise<{ text: string; contentType: string }>;
}

/** Makes a histogram with exemplars. Its registry may have any format: Prometheus's own leaves the exemplars out. */
export function histogramWithExemplars<Label extends string>(
  registry: Registry,
  settings: Omit<HistogramConfiguration<Label>, 'registers' | 'enableExemplars'>,
): Histogram<Label> {
  const histogram = new Histogram<Label>({ ...settings, registers: [], enableExemplars: true });
  registry.registerMetric(histogram);
  return histogram;
}

/** Returns the metrics of a registry in the format that the client of `/metrics` accepts. */
export function readableMetrics(registry: Registry): ReadableMetrics {
  return {
    async read(accept = '') {
      const chosen = accept.includes('application/openmetrics-text') ? openMetrics(registry) : registry;
      return { text: await chosen.metrics(), contentType: chosen.contentType };
    },
  };
}

/** prom-client renames a counter when it writes OpenMetrics, so the registry contains objects that only inherit the metrics. */
function openMetrics(registry: Registry): Registry<OpenMetricsContentType> {
  const open = new Registry<OpenMetricsContentType>();
  open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  for (const metric of registry.getMetricsAsArray()) open.registerMetric(Object.create(metric));
  return open;
}
