/** A kind of store on which whole domains are tested. */
import type { TestContext } from 'node:test'
import type { StoreFactory } from '../../../src/store/store.ts'

/** Those that live on a server. */
export type ServedName = 'postgres' | 'mongodb' | 'nats'

export type StoreName = 'memory' | 'file' | 'sqlite' | ServedName

export interface StoreUnderTest {
  readonly name: StoreName
  /** Whether several may be open on one place at once. */
  readonly severalWriters: boolean
  /** Whether the handlers of projections as code get SQL, in the transaction of their checkpoint. */
  readonly transactions: boolean
  /** Whether leases run out by the domain's clock, not by a server's. */
  readonly injectedClock: boolean
  /** Makes a fresh store for a test. */
  place(test: TestContext): Promise<StoreFactory>
}
