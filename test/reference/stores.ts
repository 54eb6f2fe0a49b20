/**
 * The stores on which the reference system's behaviours are tested: a line each. A place is a fresh, empty store that is
 * removed when its test is over.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext } from 'node:test'
import { memory } from '../../src/index.ts'
import { file } from '../../src/store/file/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'

/** A kind of store under test. */
interface StoreUnderTest {
  readonly name: string
  /** Whether several may be open on one place at once. */
  readonly severalWriters: boolean
  /** Makes a fresh store for a test. */
  place(test: TestContext): Promise<StoreFactory>
}

const stores: readonly StoreUnderTest[] = [
  { name: 'memory', severalWriters: true, place: async () => memory() },
  { name: 'file', severalWriters: false, place: (t) => inFolder(t, (folder) => file(join(folder, 'log'))) },
  { name: 'sqlite', severalWriters: true, place: (t) => inFolder(t, (folder) => sqlite(join(folder, 'log.db'))) },
]

async function inFolder(test: TestContext, make: (folder: string) => StoreFactory): Promise<StoreFactory> {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-reference-'))
  test.after(() => rm(folder, { recursive: true, force: true }))
  return make(folder)
}

/** Declares tests on every store. */
export function onEveryStore(title: string, declare: (store: StoreUnderTest) => void): void {
  for (const store of stores) describe(`${title}, on ${store.name}`, () => declare(store))
}
