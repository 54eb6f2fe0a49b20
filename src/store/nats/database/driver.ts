/**
 * The only file that names the driver: its types for the other files, and loading it when a store is opened. It is an
 * optional peer dependency, so nothing may need it before. The store speaks JetStream's protocol itself
 * (`connection.ts`), and needs only the package for the connection.
 *
 * Tidy: imports a package because the driver is what this store is made for; users of the store install it.
 */
import type { MsgHdrs, NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node'
import { StoreError } from '../../../domain/error.ts'

export type { Msg, MsgHdrs, NatsConnection, PublishOptions } from '@nats-io/transport-node'

/** The functions of the driver that the store uses. */
export interface Driver {
  connect(options: NodeConnectionOptions): Promise<NatsConnection>
  headers(): MsgHdrs
  createInbox(): string
}

/** @throws StoreError `DRIVER_MISSING` if the driver is not installed */
export async function loadDriver(label: string): Promise<Driver> {
  try {
    return await import('@nats-io/transport-node')
  } catch (error) {
    throw new StoreError('DRIVER_MISSING', { store: label, driver: '@nats-io/transport-node' }, error)
  }
}
