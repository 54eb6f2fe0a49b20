/**
 * The database. Every write is acknowledged by a majority and is in the journal of each member (`w: 'majority'`, `j:
 * true`). Every read sees only what a majority has, so nothing that a failover could undo. What one call has seen, the
 * next one sees too, on any server: each call has a causally consistent session with the time of earlier ones.
 *
 * Writes are sent as plain commands, one at a time, never by the driver's bulk writes or retryable writes. The driver
 * would continue with the next part of a bulk after a failed write concern, and repeat a write before the store has
 * looked. Settings of the URL or the user's client for write concern, read preference and number types are overruled.
 */

import { rest } from '../../../runtime/timers.ts'
import type { Client } from './client.ts'
import type { ClientSession, Db, Document, Filter, FindCursor, MongoClient, Timestamp } from './driver.ts'
import { isDuplicate, NoAnswer, type WriteError, WriteRefused } from './failure.ts'
import { within } from './within.ts'

export type CollectionName =
  | 'meta'
  | 'commits'
  | 'snapshots'
  | 'projections'
  | 'rows'
  | 'step_parts'
  | 'leases'
  | 'reservations'

/** A query. It names its index, so that the server never chooses a worse plan. */
export interface Query {
  readonly filter: Document
  readonly hint: Readonly<Record<string, 1>>
  readonly sort?: Readonly<Record<string, 1 | -1>>
  readonly skip?: number
  readonly limit?: number
  readonly projection?: Readonly<Record<string, 0 | 1>>
}

export interface Update {
  readonly q: Document
  readonly u: Document
  readonly upsert?: boolean
}

/** The first documents of a query, as many as one answer of the server has. */
export interface Portion<Found> {
  readonly documents: readonly Found[]
  /** Whether the query has no more. */
  readonly isAll: boolean
}

/** The result of an ordered write: how many of its parts were done, and the duplicate key at which it stopped. */
export interface Written {
  /** Documents inserted, matched, upserted or deleted. */
  readonly count: number
  readonly duplicate?: WriteError
}

/** Where a store's collections are, and how long it waits for the server. */
interface Place {
  readonly database: string | undefined
  readonly prefix: string
  readonly timeoutMs: number
}

interface Hello {
  readonly localTime: Date
  readonly setName?: string
  readonly msg?: string
  readonly logicalSessionTimeoutMinutes?: number | null
}

interface WriteReply {
  readonly n?: number
  readonly upserted?: readonly unknown[]
  readonly writeErrors?: readonly WriteError[]
}

/** Where an operation goes: to the database of one client, in a session of that client if it needs one. */
interface Target {
  readonly db: Db
  readonly session?: ClientSession
}

type ReadLevel = 'majority' | 'local' | 'linearizable'

const durable = { w: 'majority', j: true } as const
const reading = {
  readPreference: 'primary',
  promoteLongs: true,
  promoteValues: true,
  useBigInt64: false,
  raw: false,
  // Bytes that are not valid text come as another text. The reader then finds a wrong checksum.
  enableUtf8Validation: false,
} as const

export class Database {
  /**
   * Whether it is more than a single server. It then has change streams, and data that a majority lacks may be undone.
   */
  readonly isReplicated: boolean
  readonly #client: Client
  /** Its name, if it is not the one of the client's URL. */
  readonly #name: string | undefined
  #known: { readonly client: MongoClient; readonly db: Db }
  readonly #prefix: string
  readonly #timeoutMs: number
  readonly #sessions: boolean
  /** 'local' only on a single server, where nothing can be undone. */
  #readConcern: Exclude<ReadLevel, 'linearizable'> = 'majority'
  /** The time of the last operation that the store has seen. */
  #seen: Timestamp | undefined

  private constructor(client: Client, { database, prefix, timeoutMs }: Place, hello: Hello) {
    this.#client = client
    this.#name = database
    this.#known = { client: client.current, db: client.current.db(database) }
    this.#prefix = prefix
    this.#timeoutMs = timeoutMs
    this.#sessions = typeof hello.logicalSessionTimeoutMinutes === 'number'
    this.isReplicated = hello.setName !== undefined || hello.msg === 'isdbgrid'
  }

  /** Connects, and asks the server what kind of server it is. */
  static async connect(client: Client, place: Place): Promise<Database> {
    const { current } = client
    const hello = await within(place.timeoutMs, undefined, async (signal) => {
      await current.connect()
      return (await current.db('admin').command({ hello: 1 }, { ...reading, signal })) as unknown as Hello
    })
    return new Database(client, place, hello)
  }

  /** From now on reads see what the single server has. For servers without majority reads. */
  readLocally(): void {
    this.#readConcern = 'local'
  }

  nameOf(collection: CollectionName): string {
    return this.#prefix + collection
  }

  /** Documents that a majority has. */
  find<Found>(collection: CollectionName, query: Query, signal?: AbortSignal): Promise<readonly Found[]> {
    return this.#inSession((target) => this.#find<Found>(target, collection, query, signal))
  }

  /**
   * Documents as of now: no acknowledged write is missing, even if the server has been deposed and does not know it
   * yet. On a replica set this takes as long as a write.
   */
  findLatest<Found>(collection: CollectionName, query: Query): Promise<readonly Found[]> {
    // Without a session of the store: the result is later than everything that was seen, and such a read may not have a
    // time.
    return this.isReplicated
      ? this.#find<Found>(this.#place(), collection, query, undefined, 'linearizable')
      : this.find(collection, query)
  }

  /** As many documents as the server puts into one answer, which is bounded: 16 MiB, or one document. */
  findSome<Found>(collection: CollectionName, query: Query, signal?: AbortSignal): Promise<Portion<Found>> {
    return this.#inSession((target) =>
      this.#within(signal, async (until) => {
        const cursor = this.#cursor(target, collection, query, this.#readConcern, until)
        try {
          const first = await cursor.next()
          if (first === null) return { documents: [], isAll: true }
          const documents = [first, ...cursor.readBufferedDocuments()] as unknown as readonly Found[]
          return { documents, isAll: cursor.id === undefined || cursor.id.isZero() }
        } finally {
          await cursor.close()
        }
      }),
    )
  }

  /** The number of documents that match a filter, by an index. */
  async count(
    collection: CollectionName,
    { filter, hint }: Pick<Query, 'filter' | 'hint'>,
    signal?: AbortSignal,
  ): Promise<number> {
    const command = { count: this.nameOf(collection), query: filter, hint, readConcern: { level: this.#readConcern } }
    const { n } = await this.#inSession((target) => this.#run(target, command, signal))
    return n
  }

  /**
   * The document with an `_id`, if a majority has it. The query has no hint, because with a hint servers do not use
   * their shortest way to it.
   */
  async get<Found>(collection: CollectionName, _id: unknown, signal?: AbortSignal): Promise<Found | undefined> {
    const query = { filter: { _id }, limit: 1 }
    const [found] = await this.#inSession((target) => this.#find<Found>(target, collection, query, signal))
    return found
  }

  /** Inserts documents in their order, up to the first that collides. */
  insert(collection: CollectionName, documents: readonly object[]): Promise<Written> {
    return this.#write({ insert: this.nameOf(collection), documents, ordered: true })
  }

  /** Updates in their order, up to the first that collides. */
  update(collection: CollectionName, updates: readonly Update[]): Promise<Written> {
    return this.#write({ update: this.nameOf(collection), updates, ordered: true })
  }

  /** Makes each update on its own, with one command for each that collides. @returns for each whether it was done */
  async updateEach(collection: CollectionName, updates: readonly Update[]): Promise<readonly boolean[]> {
    const done: boolean[] = []
    while (done.length < updates.length) {
      const { duplicate } = await this.update(collection, updates.slice(done.length))
      const count = duplicate?.index ?? updates.length - done.length
      for (let i = 0; i < count; i++) done.push(true)
      if (duplicate !== undefined) done.push(false)
    }
    return done
  }

  remove(collection: CollectionName, filters: readonly Document[]): Promise<Written> {
    const deletes = filters.map((q) => ({ q, limit: 0 }))
    return this.#write({ delete: this.nameOf(collection), deletes, ordered: true })
  }

  /** Sends any other command. */
  command(command: Document): Promise<Document> {
    return this.#run(this.#place(), command)
  }

  /** The server's clock, in milliseconds since 1970. */
  async now(): Promise<number> {
    const { localTime } = (await this.command({ hello: 1 })) as unknown as Hello
    return localTime.getTime()
  }

  /** The client's own handle of a collection, for a change stream. */
  watched(collection: CollectionName): ReturnType<Db['collection']> {
    return this.#place().db.collection(this.nameOf(collection), { readPreference: 'primary' })
  }

  /** The client in use, and the database on it. */
  #place(): { readonly client: MongoClient; readonly db: Db } {
    const { current } = this.#client
    if (current !== this.#known.client) this.#known = { client: current, db: current.db(this.#name) }
    return this.#known
  }

  #find<Found>(
    target: Target,
    collection: CollectionName,
    query: Omit<Query, 'hint'>,
    wanted: AbortSignal | undefined,
    level: ReadLevel = this.#readConcern,
  ): Promise<readonly Found[]> {
    return this.#within(wanted, (signal) => {
      const cursor = this.#cursor(target, collection, query, level, signal)
      return cursor.toArray() as unknown as Promise<readonly Found[]>
    })
  }

  #cursor(
    { db, session }: Target,
    collection: CollectionName,
    { filter, projection, ...query }: Omit<Query, 'hint'>,
    level: ReadLevel,
    signal: AbortSignal,
  ): FindCursor {
    const options = { ...reading, ...query, ...(projection && { projection }), ...(session && { session }), signal }
    const all = db.collection(this.nameOf(collection))
    // Everything in one answer, if it fits. An aborted read also ends on the server.
    const bounds = { ...(query.limit && { batchSize: query.limit }), maxTimeMS: Math.ceil(this.#timeoutMs) }
    return all.find(filter as Filter<Document>, { ...options, ...bounds, readConcern: { level } })
  }

  async #write(command: Document): Promise<Written> {
    const { n = 0, writeErrors = [] } = (await this.#send(command)) as WriteReply
    const [refused] = writeErrors
    if (refused === undefined) return { count: n }
    if (!isDuplicate(refused)) throw new WriteRefused(refused)
    return { count: n, duplicate: refused }
  }

  /** Sends a command that writes. */
  #send(command: Document): Promise<Document> {
    return this.#inSession((target) => this.#run(target, { ...command, writeConcern: durable }))
  }

  #run({ db, session }: Target, command: Document, wanted?: AbortSignal): Promise<Document> {
    return this.#within(wanted, (signal) => db.command(command, { ...reading, signal, ...(session && { session }) }))
  }

  /** Runs an operation in a session that sees everything that was seen before. */
  async #inSession<Result>(use: (target: Target) => Promise<Result>): Promise<Result> {
    const { client, db } = this.#place()
    if (!this.#sessions) return use({ db })
    const session = client.startSession({ causalConsistency: true })
    if (this.#seen !== undefined) session.advanceOperationTime(this.#seen)
    try {
      return await use({ db, session })
    } finally {
      const { operationTime } = session
      if (operationTime && (this.#seen === undefined || operationTime.greaterThan(this.#seen)))
        this.#seen = operationTime
      session.endSession().catch(() => {})
    }
  }

  /** Waits for the driver, up to the time limit or until the caller aborts. */
  async #within<Result>(
    wanted: AbortSignal | undefined,
    use: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    try {
      return await within(this.#timeoutMs, wanted, use)
    } catch (error) {
      if (error instanceof NoAnswer) this.#client.doubt()
      throw error
    }
  }
}

const pauseMsMax = 50

/** Pauses, longer with each try and for a random time, so that others go first. */
export const pause = (tries: number): Promise<void> => rest(Math.random() * Math.min(2 ** tries, pauseMsMax))
