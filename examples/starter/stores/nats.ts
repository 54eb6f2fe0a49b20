/** Where the events are: in the JetStream of the NATS server at `DATABASE_URL`. */
import { nats } from '../../../src/store/nats/index.ts'

export const store = nats(process.env['DATABASE_URL'] ?? 'nats://localhost')
