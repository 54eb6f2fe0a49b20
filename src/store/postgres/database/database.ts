/**
 * Connections to the database, and the two things that are done with one: a statement, and a transaction. Nothing waits
 * longer than `timeoutMs`: a connection that gives no answer in time is thrown away, and the next call gets a fresh
 * one.
 *
 * Nothing depends on what an earlier statement has left behind in a session, so any connection will do, a pooler's too:
 * statements are prepared only until it turns out that a session does not keep them.
 *
 * Where a standby may take over, an address can lead to one that is not the primary yet, or no longer. What such a
 * server tells may be old, so nothing is read there: a connection is asked once, before it is used, what it leads to.
 */
import { createHash } from 'node:crypto'
import { startTimer, stopTimer } from '../../../runtime/timers.ts'
import { cancelStatement } from './cancel.ts'
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

/** A parameter of a statement; a `Buffer` goes in binary form. */
export type Parameter = string | number | boolean | Buffer | null

/** A row of texts, as they come. */
export type Row = readonly (string | null)[]

const asText = { getTypeParser: () => (text: unknown) => text }
const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED'
const askForRecovery = 'SELECT pg_is_in_recovery()'
/**
 * Where in the server a commit stops waiting for its standby, though it is not there. The words for it are in the
 * server's language.
 */
const endOfWait = 'SyncRepWaitForLSN'
/** Forgets whatever a session has. */
const discard = 'DISCARD ALL'
const ignore = (): void => {}

/**
 * What becomes of a statement that has given no answer in time. One that writes is left alone: it may be a commit that
 * waits for its standby, and is to become visible only when it is there.
 */
type WhenLate = 'cancel' | 'leave'

/** Runs a statement. */
export type RunQuery = (text: string, values: readonly Parameter[]) => Promise<readonly Row[]>

/** The two ways to run a statement. Reading may be repeated, writing may not. */
export interface Access {
  readonly read: RunQuery
  readonly write: RunQuery
}

/** A transaction that is under way. */
export interface Transaction {
  readonly client: PostgresClient
  query(text: string, values?: readonly Parameter[]): Promise<readonly Row[]>
}

export class Database {
  readonly #pool: PostgresPool
  readonly #timeoutMs: number
  readonly #discards: boolean
  /** Connections that are to be thrown away. */
  readonly #broken = new WeakSet<PostgresClient>()
  /** Connections on which the server has said that it did not wait for its standby. */
  readonly #unsure = new WeakSet<PostgresClient>()
  /** Connections that lead to a primary. A primary never becomes a standby without closing them. */
  readonly #leading = new WeakSet<PostgresClient>()
  /**
   * The names under which statements are prepared, by their texts. Empty once it was seen that sessions do not keep
   * them.
   */
  readonly #names = new Map<string, string>()
  /** What does the work of a statement where transactions begin at another isolation. */
  readonly #replacements = new Map<string, string>()
  /** Whether transactions begin at another isolation unless one says otherwise, as was once seen. */
  #saysIsolation = false

  /** @param after whether what a loan of a connection has left behind in its session is discarded */
  constructor(pool: PostgresPool, timeoutMs: number, after: 'keep' | 'discard' = 'keep') {
    this.#pool = pool
    this.#timeoutMs = timeoutMs
    this.#discards = after === 'discard'
  }

  /** From now on the server parses and plans these once a connection, not with every call. */
  prepare(statements: readonly string[]): void {
    // By its text: where clients share a session, the same name is the same statement.
    for (const text of statements) this.#names.set(text, `mneme_${createHash('sha1').update(text).digest('hex')}`)
  }

  /**
   * A statement that is run instead of another where transactions begin at an isolation that the other cannot stand on.
   */
  replaceWhereIsolated(text: string, replacement: string): void {
    this.#replacements.set(text, replacement)
    this.prepare([replacement])
  }

  /** Runs one statement, a transaction of its own. What the driver throws passes through. */
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

  /** Runs what `work` does as one transaction. It is rolled back if `work` throws. */
  transaction<Result>(work: (transaction: Transaction) => Promise<Result>): Promise<Result> {
    return this.#withClient(async (client) => {
      const query = (text: string, values: readonly Parameter[] = []) => this.#run(client, text, values)
      await query(begin)
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

  /** Sends a statement in the driver's own form, and notes whether its connection is still good. */
  async send(client: PostgresClient, query: DriverQuery): Promise<{ readonly rows: any[] }> {
    try {
      const answer = await within(this.#timeoutMs, client.query(query))
      if (this.#unsure.has(client)) {
        throw new Error('the commit may be on the primary only: its wait for the standby was cancelled')
      }
      return answer
    } catch (thrown) {
      const error = ofDriver(thrown)
      if (breaksConnection(error)) this.#broken.add(client)
      throw error
    }
  }

  /** Lends a connection. One that broke, or has not answered, is thrown away. */
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
      // A pooler may lead one connection to several servers.
      if (isAsOfStandby(error)) await this.#ask(client)
      throw error
    } finally {
      client.off('notice', hear)
      // Nobody waits for it.
      void this.#giveBack(client)
    }
  }

  /** Asks what a connection leads to. @throws Lost if it is a standby */
  async #ask(client: PostgresClient): Promise<void> {
    const [row] = await this.#run(client, askForRecovery, [])
    if (row![0] !== 't') {
      this.#leading.add(client)
      return
    }
    this.#broken.add(client)
    throw new Lost(new Error('the server is a standby, which may be behind and takes no writes'))
  }

  /**
   * A connection that breaks says so to its query as well; unheard it would end the process. So it is heard from the
   * call in which the pool lends it: the server may greet and dismiss in one packet, and a promise would come after
   * that.
   */
  #connect(): Promise<PostgresClient> {
    // The driver throws at once where it finds no way to connect: a certificate's file that is not there.
    return new Promise((resolve, reject) => {
      this.#pool.connect((error, client) => {
        if (client === undefined) return reject(error)
        client.on('error', ignore)
        resolve(client)
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

/** An error of the driver's that the server has not sent is one of the connection. */
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
