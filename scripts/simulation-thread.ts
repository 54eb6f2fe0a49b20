/** A thread of `simulate.ts`: is given one seed after the other, and answers with what each came to. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parentPort, workerData } from 'node:worker_threads'
import { runSeed, type SeedOptions } from './simulated-seeds.ts'

setFlagsFromString('--expose-gc')
const collectGarbage: (options: { readonly type: 'minor' }) => void = runInNewContext('gc')

parentPort!.on('message', async (seed: number) => {
  parentPort!.postMessage(await runSeed(seed, workerData as SeedOptions))
  // Nothing of a seed that has ended is in use, so this costs little. In the middle of the next, much would be copied.
  collectGarbage({ type: 'minor' })
})
