/** Stores as they are named on the command line. Only the store that is named is loaded, with its driver. */
import { existsSync } from 'node:fs'
import type { StoreFactory } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'

/** What `--store` takes, for people. */
export const storeForms = `sqlite:bank.db, file:folder, postgres://user@host/database?schema=mneme,
mongodb://host/database?prefix=mneme_ or nats://host?prefix=mneme`

export interface NamedStoreOptions {
  /** Whether the store may be made if it is not there. Otherwise that is an error, and nothing is made. */
  readonly mayCreate: boolean
}

/**
 * The store of a name.
 *
 * @throws ToolsError `STORE_UNKNOWN`, `STORE_ABSENT`; DefinitionError
 */
export async function namedStore(name: string, { mayCreate }: NamedStoreOptions): Promise<StoreFactory> {
  const scheme = /^([a-z][a-z+]*):/.exec(name)?.[1] ?? (/\.(db|sqlite3?)$/.test(name) ? 'sqlite' : undefined)
  const make =
    scheme === undefined || !Object.hasOwn(makers, scheme) ? undefined : makers[scheme as keyof typeof makers]
  if (make === undefined) {
    const said = JSON.stringify(withoutPassword(name))
    throw new ToolsError('STORE_UNKNOWN', `${said} names no store`, { advice: `Known forms are ${storeForms}` })
  }
  return make(name, mayCreate)
}

type Maker = (name: string, mayCreate: boolean) => Promise<StoreFactory>

const sqliteStore: Maker = async (name, mayCreate) => {
  const { sqlite } = await import('../../../src/store/sqlite/index.ts')
  const { place, parameters } = split(name.replace(/^sqlite:/, ''), ['prefix'])
  checkPresent(place, mayCreate)
  return sqlite(place, { ...parameters, migrate: mayCreate })
}

const fileStore: Maker = async (name, mayCreate) => {
  const { file } = await import('../../../src/store/file/index.ts')
  const place = name.replace(/^file:/, '')
  checkPresent(place, mayCreate)
  return file(place, { migrate: mayCreate })
}

const postgresStore: Maker = async (name, migrate) => {
  const { postgres } = await import('../../../src/store/postgres/index.ts')
  const { place, parameters } = split(name, ['schema'])
  return postgres(place, { ...parameters, migrate })
}

const mongodbStore: Maker = async (name, migrate) => {
  const { mongodb } = await import('../../../src/store/mongodb/index.ts')
  const { place, parameters } = split(name, ['prefix'])
  return mongodb(place, { ...parameters, migrate })
}

const natsStore: Maker = async (name, migrate) => {
  const { nats } = await import('../../../src/store/nats/index.ts')
  const { place, parameters } = split(name, ['prefix'])
  return nats(place, { ...parameters, migrate })
}

const makers = {
  sqlite: sqliteStore,
  file: fileStore,
  postgres: postgresStore,
  postgresql: postgresStore,
  mongodb: mongodbStore,
  'mongodb+srv': mongodbStore,
  nats: natsStore,
  tls: natsStore,
}

/** @throws ToolsError `STORE_ABSENT`, because a misspelt path would otherwise become an empty store */
function checkPresent(path: string, mayCreate: boolean): void {
  if (mayCreate || existsSync(path)) return
  throw new ToolsError('STORE_ABSENT', `There is no store at ${path}`, { advice: 'Check the path' })
}

/** Takes parameters that are meant for Mneme out of a name. All others are the driver's. */
function split<Key extends string>(
  name: string,
  own: readonly Key[],
): { readonly place: string; readonly parameters: Partial<Record<Key, string>> } {
  const [place = '', query] = name.split(/\?(.*)/s)
  if (query === undefined) return { place, parameters: {} }
  const all = new URLSearchParams(query)
  const parameters: Partial<Record<Key, string>> = {}
  for (const key of own) {
    const value = all.get(key)
    if (value !== null) parameters[key] = value
    all.delete(key)
  }
  return { place: all.size === 0 ? place : `${place}?${all}`, parameters }
}

/** A name without user and password, to be shown. */
const withoutPassword = (name: string): string => name.replace(/\/\/[^/@]*@/g, '//')
