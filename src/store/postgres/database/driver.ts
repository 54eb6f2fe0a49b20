/**
 * The driver `pg`: the parts that the store uses, and how it is loaded. It is a peer dependency that only users of this
 * store install. It is therefore loaded when a store is opened, and its types are not part of ours.
 *
 * Tidy: imports a package because this is the driver, loaded when a store is opened.
 */
import { StoreError } from '../../../domain/error.ts'

/** How to connect to a database. All other options of `pg` for a connection are allowed too. */
export interface PostgresConfig {
  readonly connectionString?: string
  readonly host?: string
  readonly port?: number
  readonly user?: string
  /** The password, or a function that returns it for each connection. */
  readonly password?: string | (() => string | Promise<string>)
  readonly database?: string
  /** TLS: true, or Node's options for it. */
  readonly ssl?: boolean | object
  readonly application_name?: string
  /** How long a connection stays open unused, in milliseconds. */
  readonly idleTimeoutMillis?: number
}

/**
 * A `Pool` of `pg`, as far as the store uses it. A pool that the caller has made stays open when the store is closed.
 */
export interface PostgresPool {
  connect(lent: (error: Error | undefined, client?: PostgresClient) => void): void
  end(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  readonly options: object
}

/** A connection from a pool. */
export interface PostgresClient {
  query(query: DriverQuery): Promise<{ readonly rows: any[] }>
  release(destroy?: boolean): void
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'notice', listener: (notice: ServerNotice) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'notice', listener: (notice: ServerNotice) => void): unknown
  /** The server, and the numbers which prove to it that a request to cancel comes from here. */
  readonly host?: string
  readonly port?: number
  readonly processID?: number | null
  readonly secretKey?: number | null
}

/** A notice that the server sends beside an answer. */
export interface ServerNotice {
  /** The function in the server that sends it. */
  readonly routine?: string | undefined
}

/** A statement for the driver. */
export interface DriverQuery {
  readonly text: string
  /** If set, the statement is prepared in the session under this name. */
  readonly name?: string
  readonly values?: any[]
  readonly rowMode?: any
  readonly queryMode?: string
  readonly types?: any
}

/** A notification on a channel. */
export interface Notification {
  readonly channel: string
  readonly payload?: string | undefined
}

/** A connection outside a pool. */
export interface OwnClient {
  connect(): Promise<unknown>
  query(text: string): Promise<unknown>
  end(): Promise<void>
  unref(): void
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  on(event: 'notification', listener: (message: Notification) => void): unknown
}

/** The driver. */
export interface Driver {
  readonly Pool: new (config: object) => PostgresPool
  readonly Client: new (config: object) => OwnClient
}

/** @throws StoreError `DRIVER_MISSING` if the package cannot be loaded */
export async function loadDriver(load: () => Promise<unknown> = () => import('pg')): Promise<Driver> {
  try {
    const loaded = (await load()) as Driver & { readonly default?: Driver }
    return loaded.Pool === undefined ? loaded.default! : loaded
  } catch (error) {
    throw new StoreError('DRIVER_MISSING', { store: 'postgres', driver: 'pg' }, error)
  }
}

export const isPool = (connection: object): connection is PostgresPool =>
  'connect' in connection && typeof connection.connect === 'function' && 'options' in connection
