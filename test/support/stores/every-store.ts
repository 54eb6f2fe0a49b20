/**
 * The stores on which whole domains are tested: a line each. A place is a fresh, empty store that is removed when its
 * test is over. Stores on servers (`served-stores.ts`) get one server for all tests of a file; where there is none,
 * their tests are skipped with the reason.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { memory } from '../../../src/index.ts'
import { file } from '../../../src/store/file/index.ts'
import { sqlite } from '../../../src/store/sqlite/index.ts'
import type { StoreFactory } from '../../../src/store/store.ts'
import { onServer } from '../servers/server.ts'
import { leftOut } from '../size.ts'
import type { ServedName, StoreName, StoreUnderTest } from './store-under-test.ts'

const embedded: readonly StoreUnderTest[] = [
  {
    name: 'memory',
    severalWriters: true,
    transactions: false,
    injectedClock: true,
    place: async () => memory(),
  },
  {
    name: 'file',
    severalWriters: false,
    transactions: false,
    injectedClock: true,
    place: (t) => inFolder(t, (folder) => file(join(folder, 'log'))),
  },
  {
    name: 'sqlite',
    severalWriters: true,
    transactions: true,
    injectedClock: true,
    place: (t) => inFolder(t, (folder) => sqlite(join(folder, 'log.db'))),
  },
]

/** In the order in which their tests are declared. */
const servedNames: readonly ServedName[] = ['postgres', 'mongodb', 'nats']

async function inFolder(test: TestContext, make: (folder: string) => StoreFactory): Promise<StoreFactory> {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-every-store-'))
  test.after(() => rm(folder, { recursive: true, force: true }))
  return make(folder)
}

/** Declares tests only of stores that are able to do what they are about. */
export const testWhere = (able: boolean): typeof test => (able ? test : ((() => Promise.resolve()) as typeof test))

/** The stores that the names of wanted tests say, as in `--name='on sqlite'`. No server of another one is started. */
const namedStores: readonly string[] = process.execArgv
  .filter((arg) => arg.startsWith('--test-name-pattern'))
  .flatMap((arg) => [...arg.matchAll(/\bon (memory|file|sqlite|postgres|mongodb|nats)\b/g)].map(([, name]) => name!))

/** What tests on every store are listed under, and where the quick run does them. */
interface EveryStore {
  readonly title: string
  /** The stores on which the quick run does them; on the others it reports them as skipped. */
  readonly quickOn: readonly StoreName[]
}

/** The simplest store, and the default for one machine. Each store also has tests of its own, and the same contract. */
const usuallyQuickOn: readonly StoreName[] = ['memory', 'sqlite']

/**
 * Declares tests on every store. To be awaited at the top of a test file.
 *
 * @param what the title alone, if the quick run does them on memory and SQLite
 */
export async function onEveryStore(what: string | EveryStore, declare: (store: StoreUnderTest) => void): Promise<void> {
  const { title, quickOn } = typeof what === 'string' ? { title: what, quickOn: usuallyQuickOn } : what
  const isLeftOut = (name: StoreName): boolean => {
    if (namedStores.length > 0 && !namedStores.includes(name)) return true
    if (leftOut === undefined || quickOn.includes(name)) return false
    test(`${title}, on ${name}`, { skip: leftOut }, () => {})
    return true
  }
  for (const store of embedded) {
    if (!isLeftOut(store.name)) describe(`${title}, on ${store.name}`, () => declare(store))
  }
  for (const name of servedNames) {
    if (isLeftOut(name)) continue
    const { find, ...store } = (await import('./served-stores.ts')).servedStores[name]
    await onServer(`${title}, on ${name}`, find, (server) =>
      declare({ ...store, name, place: (t) => store.place(t, server) }),
    )
  }
}
