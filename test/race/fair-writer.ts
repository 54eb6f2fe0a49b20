/** The program that appends to a MongoDB store without cease, by several callers, until its time is over. */
import { commit } from '../../src/index.ts'
import { listen, say as sayAnything } from '../../src/testing/crash/told-program.ts'
import { storeAt } from '../support/crash/place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'

/** What a writer is told: first where, then that all have opened it. */
export type ToFairWriter =
  | { readonly tell: 'open'; readonly place: Place; readonly name: string }
  | { readonly tell: 'begin'; readonly callers: number; readonly forMs: number }

/** What a writer says. */
export type FromFairWriter =
  | { readonly say: 'opened' }
  | { readonly say: 'over'; readonly appends: number; readonly longestMs: number }

const say = (message: FromFairWriter): void => sayAnything(message)
const opened = Promise.withResolvers<(begin: { readonly callers: number; readonly forMs: number }) => Promise<void>>()

async function open(place: Place, name: string): Promise<void> {
  const store = await storeAt(place).open({ warn: () => {}, now: Date.now })
  let appends = 0
  let longestMs = 0
  const call = async (caller: number, end: number): Promise<void> => {
    const stream = { aggregate: 'account', id: `${name} ${caller}` }
    while (performance.now() < end) {
      const start = performance.now()
      const events = [{ type: 'Deposited', data: 1 }]
      await store.append([commit({ stream, expected: 'any', id: `${name} ${appends++}`, recordedAt: 0, events })])
      longestMs = Math.max(longestMs, performance.now() - start)
    }
  }
  opened.resolve(async ({ callers, forMs }) => {
    const end = performance.now() + forMs
    await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller, end)))
    await store.close()
    say({ say: 'over', appends, longestMs })
    process.exit(0)
  })
  say({ say: 'opened' })
}

listen((message: ToFairWriter) => {
  if (message.tell === 'open') void open(message.place, message.name)
  else void opened.promise.then((begin) => begin(message))
})
