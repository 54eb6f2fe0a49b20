/**
 * The n-th call to the store fails, before or after its effect, for every n until a run passes without meeting its
 * fault. Each n is tried twice: once the process lives on, and once it is dead from then on and another one follows.
 * The quick run tries every eighth call, a different one for each kind of fault.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { memory, type StoreFactory } from '../../../src/index.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { type ManualEnvironment, manualEnvironment } from '../../../src/testing/manual-environment.ts'
import { stands } from '../kernel/rig.ts'
import { sized } from '../size.ts'

type Faults = Readonly<Record<'fault', 'before' | 'after'> & Record<'dies', boolean>>

const kinds: readonly Faults[] = (['before', 'after'] as const).flatMap((fault) =>
  [false, true].map((dies) => ({ fault, dies })),
)

export interface Run {
  /** Where the faults are. */
  readonly faulty: StoreFactory
  /** The same store without faults. */
  readonly plain: StoreFactory
  readonly environment: ManualEnvironment
  /** Tells the runs apart. */
  readonly name: string
}

const stride = sized(1, 8)

/** Declares a test that lets every call fail, by every kind of fault. */
export function everyCall(what: string, least: number, run: (run: Run) => Promise<void>): void {
  for (const [i, { fault, dies }] of kinds.entries()) {
    const how = dies ? 'and is followed by another process' : 'and goes on'
    test(`${what} when a call fails ${fault} its effect ${how}`, async (t: TestContext) => {
      let isMet = true
      let n = 1 + (i % stride)
      let runs = 0
      for (; isMet; n += stride) {
        runs++
        isMet = false
        const plain = memory()
        const faulty = faultyStore(plain, ({ total, method }) => {
          if (method === 'close' || total < n) return undefined
          isMet = true
          return total === n ? fault : dies ? 'before' : undefined
        })
        const name = `n = ${n}`
        try {
          await run({ faulty, plain, environment: manualEnvironment({ seed: n }), name })
        } catch (cause) {
          throw new Error(`with ${name}`, { cause })
        }
      }
      t.diagnostic(`${runs} runs`)
      assert.ok(n > least, `only ${n} calls were made`)
    })
  }
}

/** Lets so much time pass that everything that can go on has gone on, and a lease has run out. */
export async function pass(environment: ManualEnvironment): Promise<void> {
  for (let turn = 0; turn < 7; turn++) await environment.advance(2000)
}

/** Lets time pass until something is over: commands that fail wait for the clock. */
export async function inTime(environment: ManualEnvironment, work: Promise<unknown>): Promise<void> {
  for (let turn = 0; (await stands(work)) === 'pending'; turn++) {
    assert.ok(turn < 500, 'it never ends')
    await environment.advance(500)
  }
  await work
}

export const quiet = (error: unknown) => assert.ok(!(error instanceof assert.AssertionError), String(error))

/** Starts a domain that may fail to; `undefined` if it is dead before it lives. */
export const starting = <Domain>(start: () => Promise<Domain>): Promise<Domain | undefined> =>
  start().catch(() => undefined)
