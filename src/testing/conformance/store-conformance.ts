/**
 * The conformance kit: every promise of the store port is a case, which `node:test` runs against any store. A store is
 * done when all cases pass. The kit cannot show that data survives a crash of the machine: that needs a crash.
 *
 *     import { storeConformance } from 'mneme/testing'
 *
 *     storeConformance('mine', async () => {
 *       const directory = await mkdtemp(join(tmpdir(), 'mine-'))
 *       return { factory: mine(directory), cleanUp: () => rm(directory, { recursive: true }) }
 *     })
 */
import { after, before, describe, test } from 'node:test'
import { batches, commits, expectations, limits } from './append.ts'
import { argumentNumbers, argumentOptions, argumentSteps, argumentTexts, argumentTransactions } from './arguments.ts'
import { prefixes, races, severalWriters } from './concurrency.ts'
import { immutability, roundTrips } from './data.ts'
import { brokenChains, duplicates, lookups } from './idempotence.ts'
import { anyIds, distinctIds } from './ids.ts'
import { type ConformanceGroup, createRig, type MakeStore, type StoreCapabilities } from './kit.ts'
import { leaseClock, leases } from './leases.ts'
import { closing, reopening, wakeUps } from './lifetime.ts'
import { emptyLog, logPositions } from './positions.ts'
import { checkpoints, rows, rowsWithCheckpoint } from './projections.ts'
import { filters, logAborts, logLimits, logRanges, paging, wholeCommits } from './read-all.ts'
import { streamLimits, streamPages, streamRanges, streamReads } from './read-stream.ts'
import { checksumsOfEvents, commandMarks, placesInTheLog, streamEnds, streamEndsOfOthers } from './recognition.ts'
import { reservations } from './reservations.ts'
import { rowConditions } from './row-conditions.ts'
import { rowPrefixes } from './row-prefixes.ts'
import { singleWriter } from './single-writer.ts'
import { snapshots } from './snapshots.ts'
import { streamLists, streamListsOfOthers } from './stream-lists.ts'
import { tableReads } from './table-reads.ts'
import { transactionRaces } from './transaction-races.ts'
import { transactionStatements } from './transaction-statements.ts'
import { noTransactions, transactions } from './transactions.ts'
import { unusualArguments } from './unusual-arguments.ts'

/** @internal */
export const groups: readonly ConformanceGroup[] = [
  ...[expectations, commits, batches, limits],
  ...[duplicates, lookups, brokenChains],
  ...[distinctIds, anyIds, roundTrips, immutability],
  ...[streamRanges, streamLimits, streamReads, streamPages],
  ...[logRanges, logLimits, filters, paging, wholeCommits, logAborts],
  ...[emptyLog, logPositions],
  ...[checksumsOfEvents, placesInTheLog, streamEnds, streamEndsOfOthers, commandMarks],
  ...[streamLists, streamListsOfOthers],
  ...[races, prefixes, severalWriters, reservations],
  ...[snapshots, checkpoints, rows, rowsWithCheckpoint, rowPrefixes, rowConditions, leases, leaseClock],
  ...[transactions, transactionStatements, transactionRaces, tableReads],
  ...[argumentTexts, argumentNumbers, argumentSteps, argumentOptions, argumentTransactions, unusualArguments],
  ...[wakeUps, closing, reopening],
]

/** The cases for a store that lacks a capability. */
const without: Readonly<Partial<Record<keyof StoreCapabilities, ConformanceGroup>>> = {
  severalWriters: singleWriter,
  transactions: noTransactions,
}

/** After this time, a case counts as hanging. */
const caseTimeoutMs = 600_000

/**
 * Declares the cases as tests of one store.
 *
 * @param name the name of the store in the list of tests
 * @param makeStore makes a fresh, empty place; it is called about 20 times, since most cases share one store
 * @param capabilities what the store cannot do; the kit expects it to do everything else
 */
export function storeConformance(name: string, makeStore: MakeStore, capabilities: StoreCapabilities = {}): void {
  const { kit, openShared, closeShared } = createRig(makeStore, capabilities)
  const can = kit.capabilities
  const lacking = (Object.keys(can) as (keyof StoreCapabilities)[]).filter((capability) => !can[capability])
  const chosen = [
    ...groups.filter(({ needs }) => needs === undefined || can[needs]),
    ...lacking.flatMap((capability) => without[capability] ?? []),
  ]
  describe(`The store ${name} keeps the contract`, () => {
    before(openShared)
    after(closeShared)
    for (const { title, cases } of chosen) {
      describe(title, () => {
        for (const [sentence, run] of Object.entries(cases)) {
          // Reports of failures, and `--name`, know only the name of the test itself.
          test(`${title}: ${sentence}`, { timeout: caseTimeoutMs }, () => run(kit))
        }
      })
    }
  })
}
