/**
 * What a store keeps on a server, changed in one place by somebody else: a value of a row, a field of a document, a
 * message. Each question is answered or refused with a code, and no event is shown that is not the one that was stored.
 */
import { randomUUID } from 'node:crypto'
import { connect } from '@nats-io/transport-node'
import { type Document, Long, MongoClient } from 'mongodb'
import { Client } from 'pg'
import { mongodb } from '../../../src/store/mongodb/index.ts'
import { writeChecked } from '../../../src/store/nats/database/checked-text.ts'
import { openDatabase } from '../../../src/store/nats/database/setup.ts'
import { nats } from '../../../src/store/nats/index.ts'
import { settingsOf } from '../../../src/store/nats/options.ts'
import { postgres } from '../../../src/store/postgres/index.ts'
import type { StoreFactory } from '../../../src/store/store.ts'
import type { Random } from '../../../src/testing/random.ts'
import { askAll, checkShown, fill, shownBy } from './damaged-store.ts'
import type { FuzzTarget, Outcome } from './fuzz-target.ts'
import { mutateJson } from './json-mutation.ts'
import { said } from './well-formed.ts'

/** A place for a store, and what somebody else may do to it. */
interface Damageable extends AsyncDisposable {
  readonly factory: StoreFactory
  /**
   * Changes something.
   *
   * @returns whether events may be other valid ones now, since a checksum was made to fit, or none
   */
  damage(random: Random): Promise<boolean>
}

const opening = { warn: () => {}, now: () => 5 }

const target = (name: string, place: () => Promise<Damageable>): FuzzTarget => ({
  name: `damage on ${name}`,
  async run(random): Promise<Outcome> {
    await using own = await place()
    const { factory } = own
    const filled = await factory.open(opening)
    await fill(filled)
    const before = await shownBy(filled)
    await filled.close()
    const isForged = await own.damage(random)
    const opened = await said(() => factory.open(opening))
    if (opened === undefined) return 'refused'
    const store = opened.answer
    try {
      const after = await shownBy(store)
      if (!isForged) checkShown(before, after)
      const refused = await askAll(store)
      return after.log === undefined || refused > 0 ? 'refused' : 'answered'
    } finally {
      await store.close()
    }
  },
})

const integers = [0, 1, -1, 2, 9, 2 ** 31 - 1, 2 ** 32, 2 ** 53 - 1]
const texts = ['', 'x', 'red', 'other', 'ada', '{}', '1', '[]', '"', '\u0001']

/** Another text in its place. */
const otherText = (text: string, random: Random): string =>
  random.chance(0.6) ? mutateJson(text, random) : random.pick(texts)

// -- PostgreSQL ------------------------------------------------------------------------------------------------------

/** @param url of a server */
export const postgresTarget = (url: string): FuzzTarget =>
  target('postgres', async () => {
    const schema = `mneme ${randomUUID()}`
    const client = new Client(url)
    await client.connect()
    const name = client.escapeIdentifier(schema)
    return {
      factory: postgres(url, { schema, listen: false }),
      damage: (random) => damageRow(client, schema, random),
      async [Symbol.asyncDispose]() {
        await client.query(`DROP SCHEMA ${name} CASCADE`)
        await client.end()
      },
    }
  })

async function damageRow(client: Client, schema: string, random: Random): Promise<boolean> {
  const { rows: columns } = await client.query<{ table: string; column: string; type: string }>(
    `SELECT c.table_name AS table, c.column_name AS column, c.data_type AS type
     FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE c.table_schema = $1 AND t.table_type = 'BASE TABLE' ORDER BY 1, 2`,
    [schema],
  )
  const { table, column, type } = random.pick(columns)
  const [from, field] = [
    `${client.escapeIdentifier(schema)}.${client.escapeIdentifier(table)}`,
    client.escapeIdentifier(column),
  ]
  const { rows } = await client.query<{ ctid: string; value: string | null }>(
    `SELECT ctid::text, ${field}::text AS value FROM ${from} ORDER BY ctid`,
  )
  if (rows.length === 0) return false
  const { ctid, value } = random.pick(rows)
  const isText = /char|text|json/.test(type)
  const isNumber = /int|numeric|double/.test(type)
  const number = random.chance(0.5) ? random.pick(integers) : Number(value) + random.pick([1, -1, 2 ** 32])
  const text = isText
    ? otherText(value ?? '', random).replaceAll('\0', '')
    : random.pick(['{}', '{a}', '{red,red}', '{NULL}'])
  const next = random.chance(0.1) ? null : isNumber ? String(number) : text
  try {
    await client.query('SET session_replication_role = replica')
    await client.query(`UPDATE ${from} SET ${field} = $1 WHERE ctid = $2`, [next, ctid])
  } catch (error) {
    // The table does not take it.
    if (!/^(22|23|428C9)/.test((error as { readonly code?: string }).code ?? '')) throw error
  }
  // Whoever reads a stream that is called something else now is told that there is none. `verify` finds it.
  return table === 'streams' && ['aggregate', 'id'].includes(column)
}

// -- MongoDB ---------------------------------------------------------------------------------------------------------

/** @param url of a server */
export const mongodbTarget = (url: string): FuzzTarget =>
  target('mongodb', async () => {
    const database = `mneme-${randomUUID()}`
    const client = await new MongoClient(url, { retryWrites: false, promoteLongs: false }).connect()
    return {
      factory: mongodb(url, { database, timeoutMs: 60_000 }),
      damage: (random) => damageDocument(client, database, random),
      async [Symbol.asyncDispose]() {
        await client.db(database).dropDatabase()
        await client.close()
      },
    }
  })

async function damageDocument(client: MongoClient, database: string, random: Random): Promise<boolean> {
  const names = (await client.db(database).listCollections().toArray()).map(({ name }) => name).sort()
  const documents = client.db(database).collection<Document>(random.pick(names))
  const all = await documents.find().sort({ _id: 1 }).toArray()
  if (all.length === 0) return false
  const document = random.pick(all)
  const field = random.pick(Object.keys(document).sort())
  if (field === '_id') return false
  const value: unknown = document[field]
  const odd: readonly unknown[] = [null, 'x', 1.5, true, [], {}, [null], Long.fromNumber(-1), Long.MAX_VALUE, '1']
  const next = typeof value === 'string' && random.chance(0.7) ? otherText(value, random) : random.pick(odd)
  const change = random.chance(0.15) ? { $unset: { [field]: '' } } : { $set: { [field]: next } }
  try {
    await documents.updateOne({ _id: document['_id'] }, change)
  } catch (error) {
    // An index that is unique does not take it.
    if ((error as { readonly code?: number }).code !== 11_000) throw error
  }
  return false
}

// -- NATS ------------------------------------------------------------------------------------------------------------

/** @param url of a server */
export const natsTarget = (url: string): FuzzTarget =>
  target('nats', async () => {
    const options = { prefix: `mneme-${randomUUID()}`, timeoutMs: 60_000 }
    return {
      factory: nats(url, options),
      damage: (random) => damageMessage(url, options, random),
      async [Symbol.asyncDispose]() {
        const connection = await connect({ servers: url.replace(/^nats:\/\/|\/$/g, '').split(',') })
        for (const name of [`${options.prefix}_log`, `${options.prefix}_state`]) {
          await connection.request(`$JS.API.STREAM.DELETE.${name}`, '', { timeout: 10_000 })
        }
        await connection.close()
      },
    }
  })

/** Nobody can change a message of the log. Another program can send one more, and take the place of others. */
async function damageMessage(url: string, options: { readonly prefix: string }, random: Random): Promise<boolean> {
  const { log, state, connection } = await openDatabase(settingsOf(url, options), opening)
  try {
    const isOfLog = random.chance(0.4)
    const stream = isOfLog ? log : state
    const { last } = await stream.state()
    const message = await stream.at(random.int(1, last))
    if (message === undefined) return false
    const text = new TextDecoder().decode(message.data)
    const isFitting = random.chance(0.6)
    const changed = mutateJson(text.slice(8), random)
    let value: unknown
    try {
      value = JSON.parse(changed)
    } catch {}
    const data = isFitting && value !== undefined ? writeChecked(value).data : text.slice(0, 8) + changed
    await stream.publish([{ subject: message.subject, data }])
    return true
  } finally {
    await connection.close()
  }
}
