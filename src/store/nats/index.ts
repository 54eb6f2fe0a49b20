/** `mneme/nats`: the store on NATS JetStream. */
export { nats } from './nats.ts'
export type { NatsOptions } from './options.ts'
