/** OpenTelemetry for a domain: `start({ observe: telemetry() })`. */
import { type MeterProvider, metrics, type TracerProvider, trace } from '@opentelemetry/api'
import { checkKeys, checkOption } from '../domain/options.ts'
import type { Observation, Observer } from '../runtime/observation.ts'
import { type Watched, watch } from './gauges.ts'
import { Instruments } from './instruments.ts'
import { Traces } from './traces.ts'

/** Where spans and figures go, if not to the providers that the program has registered. */
export interface TelemetryOptions {
  readonly tracerProvider?: TracerProvider
  readonly meterProvider?: MeterProvider
}

/** An observer that makes spans and metrics. One is for one running domain. */
export interface Telemetry extends Required<Observer> {
  /**
   * Measures at each collection of metrics what lives, what waits, and what is behind.
   *
   * @returns a function that ends that; call it when the domain stops
   */
  watch(running: Watched): () => void
}

const scope = 'mneme'

/**
 * Makes spans and metrics of what a domain does. Call it when the SDK has been started: what is made before has no
 * meter. Without an SDK nothing is recorded, and commands get no metadata.
 *
 *     const otel = telemetry()
 *     await using bank = await Bank.start({ store, observe: otel })
 *     otel.watch(bank)
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function telemetry(options: TelemetryOptions = {}): Telemetry {
  checkKeys('telemetry(options)', options, ['tracerProvider', 'meterProvider'])
  const { tracerProvider = trace.getTracerProvider(), meterProvider = metrics.getMeterProvider() } = options
  const isTracers = (found: TracerProvider) => typeof found.getTracer === 'function'
  checkOption('tracerProvider', tracerProvider, isTracers, 'a TracerProvider of OpenTelemetry')
  const isMeters = (found: MeterProvider) => typeof found.getMeter === 'function'
  checkOption('meterProvider', meterProvider, isMeters, 'a MeterProvider of OpenTelemetry')
  const meter = meterProvider.getMeter(scope)
  const traces = new Traces(tracerProvider.getTracer(scope))
  const instruments = new Instruments(meter)
  /** What has started and not ended, by its span. */
  const open = new Map<number, Observation>()
  return Object.freeze({
    observe(observed: Observation) {
      const started = 'span' in observed ? open.get(observed.span) : undefined
      if ('span' in observed && started === undefined) open.set(observed.span, observed)
      else if ('span' in observed) open.delete(observed.span)
      traces.observe(observed, started)
      instruments.observe(observed, started)
    },
    mark: traces.mark.bind(traces),
    surround: traces.surround.bind(traces),
    watch: (running: Watched) => watch(meter, running, Date.now),
  })
}
