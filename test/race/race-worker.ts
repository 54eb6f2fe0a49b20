/** The program that races in a process of its own: several writers, or several readers, on one SQLite file. */
import type { Store } from '../../src/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { chanceOf } from '../crash/chance.ts'
import { listen, say as sayAnything } from '../crash/told-program.ts'
import type { Seen } from './outcome.ts'
import { RaceWriter, type Written } from './race.ts'
import { follow, type TailOptions } from './tail.ts'

/** What a worker is told: to write and be done, or to read until it is told where the end is. */
export type ToWorker =
  | {
      readonly tell: 'write'
      readonly path: string
      readonly writers: readonly string[]
      readonly events: number
      readonly seed: number
    }
  | { readonly tell: 'read'; readonly path: string; readonly tails: readonly TailOptions[] }
  | { readonly tell: 'end'; readonly position: number }

/** What a worker says. */
export type FromWorker =
  | { readonly say: 'opened' }
  | { readonly say: 'written'; readonly written: readonly Written[] }
  | { readonly say: 'seen'; readonly seen: readonly Seen[] }

const say = (message: FromWorker): void => sayAnything(message)
let end: number | undefined

async function work(path: string, use: (store: Store) => Promise<FromWorker>): Promise<void> {
  const store = await sqlite(path).open({ warn: () => {}, now: Date.now })
  say({ say: 'opened' })
  const result = await use(store)
  await store.close()
  say(result)
  process.exit(0)
}

listen((message: ToWorker) => {
  if (message.tell === 'end') end = message.position
  else if (message.tell === 'write') {
    const { path, writers, events, seed } = message
    const chance = chanceOf(seed)
    const run = (store: Store) => (name: string) =>
      new RaceWriter(store, name, events, chanceOf(chance.between(0, 2 ** 31))).run()
    void work(path, async (store) => ({ say: 'written', written: await Promise.all(writers.map(run(store))) }))
  } else {
    const { path, tails } = message
    const watch = (store: Store) => async (options: TailOptions) => ({
      options,
      count: await follow(store, options, () => end),
    })
    void work(path, async (store) => ({ say: 'seen', seen: await Promise.all(tails.map(watch(store))) }))
  }
})
