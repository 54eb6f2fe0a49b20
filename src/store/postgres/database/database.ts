/**
 * Runs statements and transactions on connections to the database. Nothing waits longer than `timeoutMs`. A connection
 * that gives no answer in time is thrown away, with those that have been idle meanwhile (`doubt.ts`), and the next call
 * gets a new one.
 *
 * Nothing depends on what an earlier statement has left in a session, so any connection is good, also one of a pooler.
 * Statements are prepared until it turns out that sessions do not keep them.
 *
 * If a standby may take over, an address can lead to a server that is not the primary yet, or no longer. Such a server
 * may return old data, so nothing is read there. Each connection is asked once, before it is used, which kind of server
 * it leads to.
 */
import { createHash } from 'node:crypto'
import { startTimer, stopTimer } from '../../../runtime/timers.ts'
import { cancelStatement } from './cancel.ts'
import type { Doubt } from './doubt.ts'
import type { DriverQuery, PostgresClient, PostgresPool, ServerNotice } from './driver.ts'
import {
  breaksConnection,
  isAsOfStandby,
  isNotPrepared,
  isReadOnly,
  isWrongIsolation,
  Lost,
  stateOf,
  TimedOut,
} from './failure.ts'

/** A parameter of a statement. A `Buffer` is sent in binary form. */
export type Parameter = string | number | boolean | Buffer | null

/** A row as texts. */
export type Row = readonly (string | null)[]

const asText = { getTypeParser: () => (text: unknown) => text }
const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED'
const askForRecovery = 'SELECT pg_is_in_recovery()'
/**
 * The function of the server that reports the cancelled wait of a commit for its standby. The text of that notice is in
 * the server's language, so it cannot be compared.
 */
const endOfWait = 'SyncRepWaitForLSN'
/** Resets a session. */
const discard = 'DISCARD ALL'
const ignore = (): void => {}

/**
 * What happens to a statement without an answer in time. A statement that writes is left alone: it may be a commit that
 * waits for its standby, and must not become visible before the standby has it.
 */
type WhenLate = 'cancel' | 'leave'

/** Runs a statement. */
export type RunQuery = (text: string, values: readonly Parameter[]) => Promise<readonly Row[]>

/** The two ways to run a statement. A read may be repeated, a write may not. */
export interface Access {
  readonly read: RunQuery
  readonly write: RunQuery
}

/** A transaction in progress. */
export interface Transaction {
  readonly client: PostgresClient
  query(text: string, values?: readonly Parameter[]): Promise<readonly Row[]>
}

export class Database {
  readonly #pool: PostgresPool
  readonly #timeoutMs: number
  readonly #doubt: Doubt
  readonly #discards: boolean
  /** Connections that have to be thrown away. */
  readonly #broken = new WeakSet<PostgresClient>()
  /** Connections on which the server has reported that it did not wait for its standby. */
  readonly #unsure = new WeakSet<PostgresClient>()
  /** Connections that lead to a primary. A primary never becomes a standby without closing them. */
  readonly #leading = new WeakSet<PostgresClient>()
  /** The names under which statements are prepared, by their texts. Empty if sessions turned out not to keep them. */
  readonly #names = new Map<string, string>()
  /** The replacements of statements, for databases where transactions begin at another isolation level. */
  readonly #replacements = new Map<string, string>()
  /** Whether it was seen that transactions begin at another isolation level by default. */
  #saysIsolation = false

  /** @param after whether a session is reset when its connection is given back */
  constructor(pool: PostgresPool, timeoutMs: number, doubt: Doubt, after: 'keep' | 'discard' = 'keep') {
    this.#pool = pool
    this.#timeoutMs = timeoutMs
    this.#doubt = doubt
    this.#discards = after === 'discard'
  }

  /** From now on the server parses and plans these statements once for each connection, not with every call. */
  prepare(statements: readonly string[]): void {
    // The name is made from the text. If clients share a session, the same name is then the same statement.
    for (const text of statements) this.#names.set(text, `mneme_${createHash('sha1').update(text).digest('hex')}`)
  }

  /** Replaces a statement if transactions begin at an isolation level that the statement cannot use. */
  replaceWhereIsolated(text: string, replacement: string): void {
    this.#replacements.set(text, replacement)
    this.prepare([replacement])
  }

  /** Runs one statement as a transaction of its own. @throws what the driver throws */
  async query(text: string, values: readonly Parameter[] = [], late: WhenLate = 'leave'): Promise<readonly Row[]> {
    if (!this.#saysIsolation) {
      try {
        return await this.#alone(text, values, late)
      } catch (error) {
        if (!isWrongIsolation(error)) throw error
        this.#saysIsolation = true
      }
    }
    const replacement = this.#replacements.get(text)
    if (replacement !== undefined) return this.#alone(replacement, values, late)
    return this.transaction((transaction) => transaction.query(text, values))
  }

  async #alone(text: string, values: readonly Parameter[], late: WhenLate): Promise<readonly Row[]> {
    const name = this.#names.get(text)
    try {
      return await this.#withClient(async (client) => {
        try {
          return await this.#run(client, text, values, name)
        } catch (error) {
          if (late === 'cancel' && error instanceof TimedOut) cancelStatement(client, this.#timeoutMs)
          throw error
        }
      })
    } catch (error) {
      if (name === undefined || !isNotPrepared(error)) throw error
      this.#names.clear()
      return this.#alone(text, values, late)
    }
  }

  /**
   * Runs `work` as one transaction. It is rolled back if `work` throws.
   *
   * @param beginning the statement that begins it
   */
  transaction<Result>(work: (transaction: Transaction) => Promise<Result>, beginning: string = begin): Promise<Result> {
    return this.#withClient(async (client) => {
      const query = (text: string, values: readonly Parameter[] = []) => this.#run(client, text, values)
      await query(beginning)
      let result: Result
      try {
        result = await work({ client, query })
      } catch (error) {
        if (!this.#broken.has(client) || isReadOnly(error)) await query('ROLLBACK').catch(ignore)
        throw error
      }
      await query('COMMIT')
      return result
    })
  }

  async #run(
    client: PostgresClient,
    text: string,
    values: readonly Parameter[],
    name?: string,
  ): Promise<readonly Row[]> {
    const query: DriverQuery = { text, values: values as Parameter[], rowMode: 'array', types: asText }
    const { rows } = await this.send(client, name === undefined ? query : { ...query, name })
    return rows as Row[]
  }

  /** Sends a statement in the driver's form, and notes whether its connection is still good. */
  async send(
    client: PostgresClient,
    query: DriverQuery,
    timeoutMs: number = this.#timeoutMs,
  ): Promise<{ readonly rows: any[] }> {
    try {
      const answer = await within(timeoutMs, client.query(query))
      if (this.#unsure.has(client)) {
        throw new Error('the commit may be on the primary only: its wait for the standby was cancelled')
      }
      return answer
    } catch (thrown) {
      const error = ofDriver(thrown)
      if (error instanceof TimedOut) this.#doubt.raise()
      if (breaksConnection(error)) this.#broken.add(client)
      throw error
    }
  }

  /** Lends a connection. A connection that broke or did not answer is thrown away. */
  async #withClient<Result>(use: (client: PostgresClient) => Promise<Result>): Promise<Result> {
    const connecting = this.#connect()
    const client = await within(this.#timeoutMs, connecting).catch((error: unknown) => {
      connecting.then((late) => this.#giveBack(late), ignore)
      throw ofDriver(error)
    })
    const hear = ({ routine }: ServerNotice): void => {
      if (routine === endOfWait) this.#unsure.add(client)
    }
    client.on('notice', hear)
    try {
      if (!this.#leading.has(client)) await this.#ask(client)
      return await use(client)
    } catch (error) {
      // A pooler may connect one client to several servers.
      if (isAsOfStandby(error)) await this.#ask(client)
      throw error
    } finally {
      client.off('notice', hear)
      // This is not waited for.
      void this.#giveBack(client)
    }
  }

  /** Asks whether a connection leads to a primary. @throws Lost if it is a standby */
  async #ask(client: PostgresClient): Promise<void> {
    const [row] = await this.#run(client, askForRecovery, [])
    if (row![0] !== 't') {
      this.#leading.add(client)
      return
    }
    this.#broken.add(client)
    throw new Lost(new Error('the server is a standby, which may be out of date and accepts no writes'))
  }

  /**
   * A connection that breaks emits an error beside failing its query. Without a listener that would end the process.
   * The listener is added in the callback in which the pool lends the connection. A promise would be too late, because
   * the server may greet and close in one packet.
   */
  #connect(): Promise<PostgresClient> {
    // The driver throws at once if it cannot connect at all, for instance because a certificate's file is missing.
    return new Promise((resolve, reject) => {
      this.#pool.connect((error, client) => {
        if (client === undefined) return reject(error)
        if (this.#doubt.admits(client)) {
          client.on('error', ignore)
          resolve(client)
        } else {
          client.release(true)
          resolve(this.#connect())
        }
      })
    })
  }

  async #giveBack(client: PostgresClient): Promise<void> {
    if (this.#discards && !this.#broken.has(client)) {
      await this.#run(client, discard, []).catch(() => this.#broken.add(client))
    }
    client.off('error', ignore)
    client.release(this.#broken.has(client))
  }
}

/** An error of the driver that the server has not sent is an error of the connection. */
const ofDriver = (error: unknown): unknown =>
  stateOf(error) === undefined && !(error instanceof TimedOut) ? new Lost(error) : error

/** The answer, unless it takes too long. @throws TimedOut */
export async function within<Result>(timeoutMs: number, answer: Promise<Result>): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = startTimer(() => reject(new TimedOut(timeoutMs)), timeoutMs)
  try {
    return await Promise.race([answer, promise])
  } finally {
    stopTimer(timer)
    answer.catch(ignore)
  }
}
