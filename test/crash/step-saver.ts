/**
 * The program that saves steps of a projection without a pause, and says which, until it is killed in the middle of
 * one.
 */
import { at } from '../../src/testing/checkpoint-at.ts'
import { listen, say } from '../../src/testing/crash/told-program.ts'
import { storeAt } from '../support/crash/place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'

const rowsOfStep = 12

async function run(place: Place, projection: string): Promise<void> {
  const store = await storeAt(place).open({ warn: () => {}, now: Date.now })
  for (let { position } = await store.loadCheckpoint(projection); ; position++) {
    const to = position + 1
    say({ saving: to })
    const rows = Array.from({ length: rowsOfStep }, (_, i) => ({ key: `row ${i}`, value: { step: to } }))
    await store.saveStep(projection, { from: at(position), to: at(to), rows })
  }
}

listen(({ place, projection }: { readonly place: Place; readonly projection: string }) => void run(place, projection))
