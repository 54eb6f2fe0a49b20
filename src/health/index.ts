/** The exports of `mneme/health`. */
export { type Examined, type Health, type HealthOptions, health } from './health.ts'
