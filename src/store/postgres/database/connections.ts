/**
 * The connections of a store, by what they are for.
 *
 * - Commands and reads share a pool: the caller's, or one of the store's own. Of its connections some are kept from
 *   those who read for projections and followers, so that a command finds one however many of these there are.
 * - Steps of projections that write tables of their own hold a connection for as long as their handler takes. They have
 *   a pool of their own, made when the first of them comes; and since a handler may leave anything behind in its
 *   session (settings, temporary tables, locks), all of that is discarded before the next one gets it.
 * - One connection listens, whatever the number of stores on it.
 *
 * Stores on one `Pool` of the caller's share all of that. The connections beside it are made from the pool's own
 * options.
 */

import type { Settings } from '../options.ts'
import { Database, within } from './database.ts'
import { type Driver, isPool, type PostgresPool } from './driver.ts'
import { Listener } from './listener.ts'
import { Turns } from './turns.ts'

/** As `pg` has it where a pool does not say. */
const poolSizeOfDriver = 10
/**
 * After so long a connection on which nothing is said is tried: else one to a host that is gone would be taken for good
 * for hours.
 */
const keepAliveInitialDelayMillis = 10_000

/** What stores on one pool of the caller's share, while there are any. */
const shared = new WeakMap<PostgresPool, Connections>()

export class Connections {
  readonly #driver: Driver
  readonly #config: object
  readonly #pool: PostgresPool
  /** The caller's, if it is. */
  readonly #given: PostgresPool | undefined
  readonly #stepsMax: number
  /** For reads that no command waits for. */
  readonly reading: Turns
  /** For steps with work of their own. */
  readonly stepping: Turns
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
    this.#stepsMax = Math.ceil(size / 2)
    this.reading = new Turns(Math.max(size - Math.ceil(size / 4), 1))
    this.stepping = new Turns(this.#stepsMax)
    // Idle connections break when a server restarts; the pool has dropped them by the time it tells.
    this.#pool.on('error', ignore)
  }

  /** Those of a store. Each is to be closed. */
  static of(driver: Driver, settings: Settings): Connections {
    const { connection } = settings
    const given = typeof connection !== 'string' && isPool(connection) ? connection : undefined
    const known = given && shared.get(given)
    const connections = known ?? new Connections(driver, settings)
    if (given !== undefined) shared.set(given, connections)
    connections.#stores++
    return connections
  }

  /** For commands and reads. */
  forCommands({ timeoutMs }: Settings): Database {
    return new Database(this.#pool, timeoutMs)
  }

  /** For steps with work of their own. */
  forSteps({ timeoutMs }: Settings): Database {
    if (this.#steps === undefined) {
      this.#steps = new this.#driver.Pool({ ...this.#config, max: this.#stepsMax, allowExitOnIdle: true })
      this.#steps.on('error', ignore)
    }
    return new Database(this.#steps, timeoutMs, 'discard')
  }

  /** Made when the first store wants to hear something. */
  listener({ timeoutMs }: Settings): Listener {
    this.#listener ??= new Listener(this.#driver, this.#config, timeoutMs)
    return this.#listener
  }

  /**
   * A store does not need them any more. Its own pools keep their listener: connections that are ending may still
   * break.
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
    // The time that bounds the wait also keeps the process alive for it: idle connections do not.
    const ending = own.flatMap((pool) => (pool === undefined ? [] : [within(timeoutMs, pool.end()).catch(ignore)]))
    await Promise.all([this.#listener?.close(), ...ending])
  }
}

const ignore = (): void => {}

const sizeOf = ({ options }: PostgresPool): number =>
  'max' in options && typeof options.max === 'number' ? options.max : poolSizeOfDriver

/** What connections of the store's own are made from. */
function configOf({ connection, timeoutMs }: Settings): object {
  const ours = { keepAlive: true, keepAliveInitialDelayMillis, connectionTimeoutMillis: timeoutMs }
  if (typeof connection === 'string') return { ...ours, connectionString: connection }
  if (!isPool(connection)) return { ...ours, ...connection }
  // A pool hides its password from those who look at all of its options.
  const { options } = connection
  return { ...ours, ...options, ...('password' in options && { password: options.password }) }
}
