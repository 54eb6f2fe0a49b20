/** A thread of `planted-bugs.ts`: is given the name of one planted bug after the other, and looks for it. */
import { parentPort } from 'node:worker_threads'
import { findBug } from '../test/support/simulation/find-bug.ts'
import { plantedBugs } from '../test/support/simulation/planted-bugs.ts'

parentPort!.on('message', async (wanted: string) => {
  parentPort!.postMessage(await findBug(plantedBugs.find(({ name }) => name === wanted)!))
})
