/**
 * Compares the kernel with a model that is obviously right: a vault is a list of amounts, and commands are handled one
 * after the other. Commands are sent at the same time and repeated, aggregates are passivated, and the domain is
 * restarted. The answers must always be those of the model.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { memory } from '../../src/index.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { logOf, type RunningVaults, recorder, startVaults } from '../support/kernel/rig.ts'

interface Sent {
  readonly id: string
  readonly name: 'add' | 'take' | 'burst' | 'look' | 'fail'
  readonly amount: number
  readonly commandId?: string
}
type Step =
  | { readonly kind: 'send'; readonly commands: readonly Sent[] }
  | { readonly kind: 'idle'; readonly durationMs: number }
  | { readonly kind: 'restart' }
  | { readonly kind: 'state'; readonly id: string; readonly sequence: number }

/** The parts of an answer that a caller can see. */
type Answer =
  | { readonly amounts: readonly number[]; readonly sequence: number; readonly events: number }
  | { readonly rejected: number }
  | { readonly failed: string }

const sum = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0)

/** A vault as a list. */
class ModelVault {
  amounts: readonly number[] = []
  readonly stored = new Map<string, { readonly of: string; readonly answer: Answer }>()

  handle({ name, amount, commandId }: Sent): Answer {
    const known = commandId === undefined ? undefined : this.stored.get(commandId)
    const of = `${name} ${amount}`
    if (known !== undefined) return known.of === of ? known.answer : { failed: 'COMMAND_ID_REUSED' }
    if (name === 'fail') return { failed: 'DECIDE_FAILED' }
    if (name === 'take' && amount > sum(this.amounts)) return { rejected: sum(this.amounts) }
    const made = { add: [amount], take: [-amount], burst: Array<number>(amount).fill(1), look: [] }[name]
    this.amounts = [...this.amounts, ...made]
    const answer = { amounts: this.amounts, sequence: this.amounts.length, events: made.length }
    if (made.length > 0 && commandId !== undefined) this.stored.set(commandId, { of, answer })
    return answer
  }
}

class ModelVaults {
  readonly #vaults = new Map<string, ModelVault>()

  vault(id: string): ModelVault {
    const vault = this.#vaults.get(id) ?? new ModelVault()
    this.#vaults.set(id, vault)
    return vault
  }

  get total(): number {
    return [...this.#vaults.values()].reduce((total, { amounts }) => total + amounts.length, 0)
  }

  /** Commands that are sent at the same time are handled in the order in which they came. */
  handle(commands: readonly Sent[]): readonly Answer[] {
    return commands.map((command) => this.vault(command.id).handle(command))
  }
}

async function send(vaults: RunningVaults, { id, name, amount, commandId }: Sent): Promise<Answer> {
  const data = name === 'burst' ? { count: amount } : { amount }
  const options = commandId === undefined ? {} : { commandId }
  try {
    const outcome = await vaults.try.dispatch({ aggregate: 'vault', id, name, data, ...options } as never as {
      readonly aggregate: 'vault'
      readonly id: string
      readonly name: 'take'
      readonly data: { amount: number }
    })
    if (!outcome.accepted) return { rejected: outcome.rejection.details.balance }
    return { amounts: outcome.state.amounts, sequence: outcome.sequence, events: outcome.events.length }
  } catch (error) {
    return { failed: (error as { readonly code: string }).code }
  }
}

const id = fc.constantFrom('a', 'b', 'c')
const command: fc.Arbitrary<Sent> = fc
  .record({
    id,
    name: fc.constantFrom('add', 'add', 'take', 'take', 'burst', 'look', 'fail'),
    amount: fc.integer({ min: 0, max: 6 }),
    commandId: fc.option(fc.constantFrom('c1', 'c2', 'c3', 'c4'), { nil: undefined }),
  })
  .map(({ commandId, ...rest }) => ({ ...rest, ...(commandId !== undefined && { commandId }) }) as Sent)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('send'), commands: fc.array(command, { maxLength: 8 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('idle'), durationMs: fc.integer({ min: 1, max: 200 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('state'), id, sequence: fc.nat({ max: 12 }) }) },
) as fc.Arbitrary<Step>
const settings = fc.record({
  snapshotEvery: fc.integer({ min: 1, max: 5 }),
  liveAggregatesMax: fc.integer({ min: 1, max: 4 }),
})

test('the kernel gives the answers of the model for any commands, repetitions, passivations and restarts', async () => {
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 20, size: 'max' }),
    settings,
    async (steps, { snapshotEvery, liveAggregatesMax }) => {
      const store = memory()
      const environment = manualEnvironment()
      const limits = { liveAggregatesMax }
      const options = { store, environment, snapshotEvery, limits, passivateAfterMs: 100, log: recorder() }
      const model = new ModelVaults()
      let vaults = await startVaults(options)
      for (const step of steps) {
        if (step.kind === 'idle') await environment.advance(step.durationMs)
        else if (step.kind === 'restart') {
          await vaults.stop()
          vaults = await startVaults(options)
        } else if (step.kind === 'state') {
          const { amounts } = await vaults.vault(step.id).state({ sequence: step.sequence })
          assert.deepEqual(amounts, model.vault(step.id).amounts.slice(0, step.sequence))
        } else {
          const answers = await Promise.all(step.commands.map((command) => send(vaults, command)))
          assert.deepEqual(answers, model.handle(step.commands))
        }
      }
      await vaults.stop()
      assert.equal((await logOf(store)).length, model.total)
      assert.deepEqual(options.log.messages, [])
    },
  )
  await fc.assert(property, { numRuns: 250 })
})
