/** A thread of `simulate.ts`: is given one seed after the other, and answers with what each came to. */
import { parentPort, workerData } from 'node:worker_threads'
import { runSeed, type SeedOptions } from './simulated-seeds.ts'

parentPort!.on('message', async (seed: number) => {
  parentPort!.postMessage(await runSeed(seed, workerData as SeedOptions))
})
