/**
 * Looks for a person's data in every byte that is stored: in all files of the embedded stores, and in all tables or
 * documents of the servers. Personal values are never there in clear. After `forget`, and the clean-up that the guide
 * names for each store, the key is not there either.
 */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { connect } from '@nats-io/transport-node'
import { MongoClient } from 'mongodb'
import type { StoreFactory } from '../../src/index.ts'
import { file, vacuum } from '../../src/store/file/index.ts'
import { mongodb } from '../../src/store/mongodb/index.ts'
import { nats } from '../../src/store/nats/index.ts'
import { postgres } from '../../src/store/postgres/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { ada, impatient, ShopWithLetters, secrets } from '../support/personal/shop.ts'
import { findMongodb } from '../support/servers/mongodb-server.ts'
import { dropStreams, freshPrefix } from '../support/servers/nats-place.ts'
import { findNats } from '../support/servers/nats-server.ts'
import { dropSchema, freshSchema, withClient } from '../support/servers/postgres-place.ts'
import { findPostgres } from '../support/servers/postgres-server.ts'
import { onServer } from '../support/servers/server.ts'

/** Stores every kind of record that can hold personal data. @returns what the domain has written to its log */
async function fill(store: StoreFactory): Promise<string> {
  const logged: unknown[] = []
  const log = { warn: (...args: unknown[]) => void logged.push(args) }
  await using shop = await ShopWithLetters.start({ store, environment: impatient(), log, projections: 'manual' })
  await shop.customer('1').register(ada('1'))
  await shop.customer('1').change(ada('1'))
  await shop.customer('fails').register(ada('1'))
  await shop.customer('2').register({ ...ada('2'), email: 'somebody.else@example.org' })
  const { position } = await shop.customer('1').note({ text: 'called' })
  for (const run of [shop.projections.runOnce('addresses'), shop.reactions.runOnce('greetings')]) await run
  await shop.addresses.get('1', { atLeast: position })
  await assert.rejects(shop.customer('1').register({ ...ada('1'), email: `${secrets[0]} ` }))
  return logged.map((each) => JSON.stringify(each)).join('\n')
}

async function forget(store: StoreFactory): Promise<void> {
  await using shop = await ShopWithLetters.start({ store, environment: impatient(), projections: 'manual' })
  assert.equal((await shop.forget('1')).keys.length, 1)
}

/** The secret of a subject's key. */
async function keyOf(store: StoreFactory, subject: string): Promise<string> {
  const opened = await store.open({ warn: () => {}, now: Date.now })
  const [row] = await opened.loadRows('personal keys', [`subject ${subject}`])
  await opened.close()
  return (row as { readonly secret: string }).secret
}

/** All forms in which a text may be stored. */
const formsOf = (text: string): readonly Buffer[] =>
  (['utf8', 'utf16le', 'hex', 'base64', 'base64url'] as const).map((encoding) =>
    encoding === 'utf8' || encoding === 'utf16le'
      ? Buffer.from(text, encoding)
      : Buffer.from(Buffer.from(text).toString(encoding).replace(/=+$/, '').slice(0, -2)),
  )

function lookFor(text: string, stored: readonly Buffer[]): number {
  return stored.filter((bytes) => formsOf(text).some((form) => bytes.includes(form))).length
}

async function filesIn(folder: string): Promise<readonly Buffer[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return Promise.all(
    entries.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name))),
  )
}

/** @param read everything that is stored @param cleanUp what removes deleted data from it */
async function check(store: StoreFactory, read: () => Promise<readonly Buffer[]>, cleanUp: () => Promise<void>) {
  const warned = await fill(store)
  for (const secret of secrets) assert.ok(!warned.includes(secret), `a warning has ${secret}`)
  const [key, other] = [await keyOf(store, '1'), await keyOf(store, '2')]
  const before = await read()
  for (const secret of secrets) assert.equal(lookFor(secret, before), 0, `${secret} was stored in clear`)
  assert.ok(lookFor(key, before) > 0, 'the search finds what is there')
  assert.ok(lookFor('called', before) > 0, 'the search finds other fields')
  await forget(store)
  await cleanUp()
  const after = await read()
  for (const text of [...secrets, key]) assert.equal(lookFor(text, after), 0, `${text} is still stored`)
  assert.ok(lookFor(other, after) > 0, 'other keys are kept')
}

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-bytes-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('no file of a file store has personal data, nor a destroyed key after its vacuum', async (t) => {
  const folder = await folderFor(t)
  const path = join(folder, 'log')
  await check(
    file(path),
    () => filesIn(folder),
    () => vacuum(path),
  )
})

test('no file of SQLite has personal data, nor a destroyed key after VACUUM', async (t) => {
  const folder = await folderFor(t)
  const path = join(folder, 'log.db')
  await check(
    sqlite(path),
    () => filesIn(folder),
    async () => {
      const database = new DatabaseSync(path)
      database.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)')
      database.close()
    },
  )
})

await onServer('no bytes of a person', findPostgres, (server) => {
  test('are in a table of PostgreSQL, or in its files after VACUUM FULL', async (t) => {
    const schema = freshSchema()
    t.after(() => dropSchema(server, schema))
    const folder = await withClient(server, async (client) => {
      const { rows } = await client.query<{ folder: string }>("SELECT current_setting('data_directory') AS folder")
      return rows[0]!.folder
    })
    const read = () =>
      withClient(server, async (client) => {
        await client.query('CHECKPOINT')
        const { rows } = await client.query<{ name: string }>(
          'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = $1',
          [schema],
        )
        const of = client.escapeIdentifier(schema)
        const tables: Buffer[] = []
        for (const { name } of rows) {
          const table = `${of}.${client.escapeIdentifier(name)}`
          const found = await client.query<{ text: string }>(`SELECT t::text AS text FROM ${table} AS t`)
          tables.push(Buffer.from(found.rows.map(({ text }) => text).join('\n')))
        }
        const files = server.control === undefined ? [] : await filesIn(join(folder, 'base'))
        return [...tables, ...files]
      })
    const cleanUp = () =>
      withClient(server, async (client) => {
        await client.query(`VACUUM FULL ${client.escapeIdentifier(schema)}.projection_rows`)
      })
    await check(postgres(server.url, { schema }), read, cleanUp)
  })
})

await onServer('no bytes of a person', findMongodb, (server) => {
  test('are in a document of MongoDB', async (t) => {
    const database = `bytes-${process.pid}`
    const client = new MongoClient(server.url)
    t.after(() => client.close())
    const read = async () => {
      const collections = await client.db(database).listCollections().toArray()
      return Promise.all(
        collections.map(async ({ name }) =>
          Buffer.from(JSON.stringify(await client.db(database).collection(name).find().toArray())),
        ),
      )
    }
    await check(mongodb(server.url, { database }), read, async () => {})
  })
})

await onServer('no bytes of a person', findNats, (server) => {
  test('are in a message of NATS', async (t) => {
    const prefix = freshPrefix()
    const connection = await connect({ servers: server.url.replace(/^nats:\/\/|\/$/g, '') })
    t.after(async () => {
      await connection.close()
      await dropStreams(server, prefix)
    })
    const ask = async (subject: string, question: object) => {
      const { data } = await connection.request(`$JS.API.STREAM.${subject}`, JSON.stringify(question))
      return JSON.parse(new TextDecoder().decode(data))
    }
    const read = async () => {
      const stored: Buffer[] = []
      for (const stream of [`${prefix}_log`, `${prefix}_state`]) {
        const { state } = await ask(`INFO.${stream}`, {})
        for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
          const { message } = await ask(`MSG.GET.${stream}`, { seq })
          if (message === undefined) continue
          const { subject, hdrs = '', data = '' } = message
          stored.push(Buffer.from(subject), Buffer.from(hdrs, 'base64'), Buffer.from(data, 'base64'))
        }
      }
      return stored
    }
    await check(nats(server.url, { prefix }), read, async () => {})
  })
})
