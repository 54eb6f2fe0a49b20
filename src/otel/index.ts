/** The exports of `mneme/otel`. */
export type { Watched } from './gauges.ts'
export { type Telemetry, type TelemetryOptions, telemetry } from './telemetry.ts'
