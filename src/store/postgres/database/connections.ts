/**
 * The connections of a store, by purpose.
 *
 * - Commands and reads share a pool: the caller's, or one of the store's own. Some of its connections are kept free
 *   from reads for projections and followers, so that a command gets a connection however many of these there are.
 * - Steps of projections that write tables of their own, and reads of these tables, hold a connection as long as the
 *   user's code takes. They have a pool of their own, made for the first of them, with places for each. The code may
 *   leave anything behind in its session (settings, temporary tables, locks). All of that is discarded before the next
 *   one gets the connection.
 * - One connection listens, for any number of stores.
 *
 * Stores on one `Pool` of the caller's share all of that. Other connections are made with the options of that pool.
 */

import type { Settings } from '../options.ts'
import { Database, within } from './database.ts'
import { Doubt } from './doubt.ts'
import { type Driver, isPool, type PostgresPool } from './driver.ts'
import { Listener } from './listener.ts'
import { Turns } from './turns.ts'

/** The default of `pg` for the size of a pool. */
const poolSizeOfDriver = 10
/** After this time a silent connection is probed. Otherwise one to a lost host would seem good for hours. */
const keepAliveInitialDelayMillis = 10_000

/** The connections that stores on one pool of the caller's share, while there are such stores. */
const shared = new WeakMap<PostgresPool, Connections>()

export class Connections {
  readonly #driver: Driver
  readonly #config: object
  readonly #pool: PostgresPool
  /** The pool, if it is the caller's. */
  readonly #given: PostgresPool | undefined
  /** The size of the pool of steps and of reads of tables. */
  readonly #lentMax: number
  /** Turns for reads that no command waits for. */
  readonly reading: Turns
  /** Turns for steps with work of their own. */
  readonly stepping: Turns
  /** Turns for reads of tables of users. */
  readonly querying: Turns
  readonly #doubt = new Doubt(() => this.#listener?.doubt())
  #steps: PostgresPool | undefined
  #listener: Listener | undefined
  #stores = 0

  private constructor(driver: Driver, settings: Settings) {
    const { connection, poolSize } = settings
    this.#driver = driver
    this.#config = configOf(settings)
    this.#given = typeof connection !== 'string' && isPool(connection) ? connection : undefined
    this.#pool = this.#given ?? new driver.Pool({ ...this.#config, max: poolSize, allowExitOnIdle: true })
    const size = this.#given === undefined ? poolSize : sizeOf(this.#given)
    const [steps, reads] = [Math.ceil(size / 2), Math.ceil(size / 4)]
    this.#lentMax = steps + reads
    this.reading = new Turns(Math.max(size - Math.ceil(size / 4), 1))
    this.stepping = new Turns(steps)
    this.querying = new Turns(reads)
    // Idle connections break when a server restarts. The pool has removed them before it reports that.
    this.#pool.on('error', ignore)
  }

  /** The connections of a store, which has to close them. */
  static of(driver: Driver, settings: Settings): Connections {
    const { connection } = settings
    const given = typeof connection !== 'string' && isPool(connection) ? connection : undefined
    const known = given && shared.get(given)
    const connections = known ?? new Connections(driver, settings)
    if (given !== undefined) shared.set(given, connections)
    connections.#stores++
    return connections
  }

  /** The database for commands and reads. */
  forCommands({ timeoutMs }: Settings): Database {
    return new Database(this.#pool, timeoutMs, this.#doubt)
  }

  /** The database for steps with work of their own, and for reads of tables of users. */
  forSteps({ timeoutMs }: Settings): Database {
    if (this.#steps === undefined) {
      this.#steps = new this.#driver.Pool({ ...this.#config, max: this.#lentMax, allowExitOnIdle: true })
      this.#steps.on('error', ignore)
    }
    return new Database(this.#steps, timeoutMs, this.#doubt, 'discard')
  }

  /** The listener, made when the first store needs it. */
  listener({ timeoutMs }: Settings): Listener {
    this.#listener ??= new Listener(this.#driver, this.#config, timeoutMs)
    return this.#listener
  }

  /**
   * Called when a store no longer needs them. Pools of the store's own keep their error listener, because connections
   * that are ending may still break.
   */
  async close({ timeoutMs }: Settings): Promise<void> {
    this.#stores--
    if (this.#stores > 0) return
    const given = this.#given
    if (given !== undefined) {
      shared.delete(given)
      given.off('error', ignore)
    }
    const own = given === undefined ? [this.#pool, this.#steps] : [this.#steps]
    // The timer that bounds the wait also keeps the process alive meanwhile. Idle connections do not.
    const ending = own.flatMap((pool) => (pool === undefined ? [] : [within(timeoutMs, pool.end()).catch(ignore)]))
    await Promise.all([this.#listener?.close(), ...ending])
  }
}

const ignore = (): void => {}

const sizeOf = ({ options }: PostgresPool): number =>
  'max' in options && typeof options.max === 'number' ? options.max : poolSizeOfDriver

/** The options of the store's own connections. */
function configOf({ connection, timeoutMs }: Settings): object {
  const ours = { keepAlive: true, keepAliveInitialDelayMillis, connectionTimeoutMillis: timeoutMs }
  if (typeof connection === 'string') return { ...ours, connectionString: connection }
  if (!isPool(connection)) return { ...ours, ...connection }
  // A pool hides its password from code that copies all its options.
  const { options } = connection
  return { ...ours, ...options, ...('password' in options && { password: options.password }) }
}
