/**
 * A configuration whose store (`HELD_STORE`) says `held` at the first read of its log, and answers it only when the
 * process is interrupted.
 */
import { TransferBank } from '../../../examples/transfer/bank.ts'
import type { Store } from '../../../src/index.ts'
import { namedStore } from '../../../tools/src/config/named-store.ts'
import { defineConfig } from '../../../tools/src/index.ts'
import { changedStore } from '../../../tools/src/inspection/changed-store.ts'

const factory = await namedStore(process.env['HELD_STORE']!, { mayCreate: false })
const { promise: isInterrupted, resolve } = Promise.withResolvers<void>()
process.once('SIGINT', () => resolve())

async function held(): Promise<void> {
  console.error('held')
  // A signal that is waited for does not keep a process alive.
  const alive = setInterval(() => {}, 1000)
  await isInterrupted
  clearInterval(alive)
}

export const config = defineConfig({
  domain: TransferBank,
  store: {
    name: factory.name,
    async open(options) {
      const store = await factory.open(options)
      const readAll: Store['readAll'] = async (...args) => {
        await held()
        return store.readAll(...args)
      }
      return changedStore(store, { readAll })
    },
  },
})
