/** Eight writers and five readers that follow the log, in one process, on each store. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { memory, type Store, type StoreFactory } from '../../src/index.ts'
import { file } from '../../src/store/file/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { Random } from '../../src/testing/random.ts'
import { within } from '../support/crash/deadline.ts'
import { checkRace } from '../support/race/outcome.ts'
import { RaceWriter, writerNames } from '../support/race/race.ts'
import { follow, tails } from '../support/race/tail.ts'
import { withSeed } from '../support/seed.ts'
import { sized } from '../support/size.ts'

const events = sized(10_000, 5_000)
const timeoutMs = 1_000_000

const stores: Record<string, (directory: string) => StoreFactory> = {
  memory: () => memory(),
  file: (directory) => file(join(directory, 'log'), { segmentBytesMax: 2_000_000 }),
  sqlite: (directory) => sqlite(join(directory, 'log.db')),
}

for (const [name, storeIn] of Object.entries(stores)) {
  const title = `8 writers and 5 readers on one ${name} store: no gap, no step back, no torn commit, no lost update`
  test(title, { timeout: timeoutMs + 10_000 }, async (context) => {
    const directory = await mkdtemp(join(tmpdir(), 'mneme-race-'))
    context.after(() => rm(directory, { recursive: true, force: true }))
    const store = await storeIn(directory).open({ warn: () => {}, now: Date.now })
    try {
      const describe = async () => `the race was not over, with ${await store.head()} of ${events} events stored`
      await withSeed((random) => within(timeoutMs, race(store, random), describe))
    } finally {
      await store.close()
    }
  })
}

async function race(store: Store, random: Random): Promise<void> {
  let end: number | undefined
  const readers = tails.map(async (options) => ({ options, count: await follow(store, options, () => end) }))
  const share = events / writerNames.length
  const writing = Promise.all(
    writerNames.map((writer) => new RaceWriter(store, writer, share, new Random(random.int(0, 2 ** 31))).run()),
  )
  // A reader that fails ends the test, and with it the writers.
  const written = await Promise.race([writing, Promise.all(readers).then(() => writing)])
  end = await store.head()
  await checkRace(store, events, written, await Promise.all(readers))
}
