/** The program that races in a process of its own: several writers, or several readers, on one store. */
import type { Store } from '../../../src/index.ts'
import { listen, say as sayAnything } from '../../../src/testing/crash/told-program.ts'
import { Random } from '../../../src/testing/random.ts'
import { storeAt } from '../crash/place.ts'
import type { Place } from '../crash/writer-protocol.ts'
import type { Seen } from './outcome.ts'
import { RaceWriter, type Written } from './race.ts'
import { follow, type TailOptions } from './tail.ts'

/** What a worker is told: to write and be done, or to read until it is told where the end is. */
export type ToWorker =
  | {
      readonly tell: 'write'
      readonly place: Place
      readonly writers: readonly string[]
      readonly events: number
      readonly seed: number
      readonly eventsOfCommitMax: number
    }
  | { readonly tell: 'read'; readonly place: Place; readonly tails: readonly TailOptions[] }
  | { readonly tell: 'end'; readonly position: number }

/** What a worker says. */
export type FromWorker =
  | { readonly say: 'opened' }
  | { readonly say: 'written'; readonly written: readonly Written[] }
  | { readonly say: 'seen'; readonly seen: readonly Seen[] }

const say = (message: FromWorker): void => sayAnything(message)
let end: number | undefined

async function work(place: Place, use: (store: Store) => Promise<FromWorker>): Promise<void> {
  const store = await storeAt(place).open({ warn: () => {}, now: Date.now })
  say({ say: 'opened' })
  const result = await use(store)
  await store.close()
  say(result)
  process.exit(0)
}

listen((message: ToWorker) => {
  if (message.tell === 'end') end = message.position
  else if (message.tell === 'write') {
    const { place, writers, events, seed, eventsOfCommitMax } = message
    const random = new Random(seed)
    const run = (store: Store) => (name: string) =>
      new RaceWriter(store, name, events, new Random(random.int(0, 2 ** 31)), eventsOfCommitMax).run()
    void work(place, async (store) => ({ say: 'written', written: await Promise.all(writers.map(run(store))) }))
  } else {
    const { place, tails } = message
    const watch = (store: Store) => async (options: TailOptions) => ({
      options,
      count: await follow(store, options, () => end),
    })
    void work(place, async (store) => ({ say: 'seen', seen: await Promise.all(tails.map(watch(store))) }))
  }
})
