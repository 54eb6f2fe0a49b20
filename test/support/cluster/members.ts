/** Members in processes of their own, callers that send to them, and the check of what they were told. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { StoreFactory } from '../../../src/index.ts'
import { ChildProgram } from '../../../src/testing/crash/child-program.ts'
import type { Place } from '../crash/writer-protocol.ts'
import type { FromMember } from './member-program.ts'
import { Vaults } from './vaults.ts'

const program = new URL('member-program.ts', import.meta.url)
const timeoutMs = 600_000

type Answer = FromMember & { readonly say: 'answer' }

/** One member's process. */
export class MemberProcess {
  readonly #child: ChildProgram
  readonly #waiting = new Map<string, (answer: Answer | 'ended') => void>()
  readonly #heard = new Map<FromMember['say'], () => void>()
  isGone = false

  constructor(test: TestContext) {
    this.#child = new ChildProgram(program, (line) => this.#hear(JSON.parse(line) as FromMember), timeoutMs)
    test.after(() => this.#child.kill())
    void this.#child.ended
      .catch(() => {})
      .then(() => {
        this.isGone = true
        for (const answer of this.#waiting.values()) answer('ended')
        this.#waiting.clear()
      })
  }

  async start(place: Place): Promise<this> {
    const started = this.#until('started')
    this.#child.send({ tell: 'start', place })
    await started
    return this
  }

  /** Sends a command. `ended`: the process ended before it had answered. */
  send(command: { readonly id: string; readonly name: string; readonly amount: number; readonly commandId: string }) {
    if (this.isGone) return Promise.resolve('ended' as const)
    return new Promise<Answer | 'ended'>((resolve) => {
      this.#waiting.set(command.commandId, resolve)
      this.#child.send({ tell: 'send', ...command })
    })
  }

  async stop(): Promise<void> {
    this.#child.send({ tell: 'stop' })
    await this.#child.endedWell()
  }

  async kill(): Promise<void> {
    this.#child.kill()
    await this.#child.ended
  }

  /** Stands still for a while, as a process does that is swapped out. */
  async freeze(forMs: number): Promise<void> {
    process.kill(this.#child.pid, 'SIGSTOP')
    await new Promise((resolve) => setTimeout(resolve, forMs))
    process.kill(this.#child.pid, 'SIGCONT')
  }

  #until(what: FromMember['say']): Promise<void> {
    return Promise.race([
      new Promise<void>((resolve) => this.#heard.set(what, resolve)),
      this.#child.endedWell().then(() => {
        throw new Error(`The member ended before it had ${what}`)
      }),
    ])
  }

  #hear(message: FromMember): void {
    if (message.say === 'answer') {
      this.#waiting.get(message.commandId)?.(message)
      this.#waiting.delete(message.commandId)
    } else this.#heard.get(message.say)?.()
  }
}

/** What a caller was told in the end. */
interface Told {
  readonly id: string
  readonly name: 'put' | 'take'
  readonly amount: number
  readonly answer: Answer['answer']
  readonly why: string | undefined
}

/** Callers, each with a vault of its own choice at each time. A caller whose member ends asks another one. */
export class Callers {
  readonly told = new Map<string, Told>()
  /** How long callers of members waited that did not end meanwhile, in milliseconds. */
  readonly waits: number[] = []
  readonly #members: () => readonly MemberProcess[]
  readonly #random: () => number
  readonly #vaults: number
  readonly #wanted: { readonly wanted: number; readonly resolve: () => void }[] = []
  #isOver = false
  #last = 0

  constructor(members: () => readonly MemberProcess[], vaults: number, random: () => number) {
    this.#members = members
    this.#vaults = vaults
    this.#random = random
  }

  /** Sends commands until `end`. */
  async run(): Promise<void> {
    while (!this.#isOver) await this.#send()
  }

  end(): void {
    this.#isOver = true
  }

  /** Waits until so many more commands are answered. */
  goOn(answers: number): Promise<void> {
    const wanted = this.told.size + answers
    return new Promise((resolve) => this.#wanted.push({ wanted, resolve }))
  }

  async #send(): Promise<void> {
    const commandId = `c${++this.#last}`
    const id = `vault ${this.#whole(this.#vaults)}`
    const name = this.#random() < 0.6 ? 'put' : 'take'
    const command = { id, name, amount: 1 + this.#whole(9), commandId } as const
    for (let isFirst = true; ; isFirst = false) {
      const members = this.#members()
      const member = members[this.#whole(members.length)]!
      const answer = await member.send(command)
      if (answer === 'ended') {
        if (this.#isOver) return
        await new Promise((resolve) => setTimeout(resolve, 5))
        continue
      }
      if (isFirst) this.waits.push(answer.tookMs)
      this.told.set(commandId, { id, name, amount: command.amount, answer: answer.answer, why: answer.why })
      for (const { wanted, resolve } of this.#wanted) if (this.told.size >= wanted) resolve()
      return
    }
  }

  #whole(below: number): number {
    return Math.floor(this.#random() * below)
  }
}

/**
 * Checks the log against what callers were told: each "yes" is stored once, nothing else is, amounts are what the
 * answers make, and the epochs of a stream never go down.
 */
export async function checkTold(store: StoreFactory, told: ReadonlyMap<string, Told>): Promise<void> {
  const failed = [...told].filter(([, { answer }]) => answer === 'error')
  assert.deepEqual(failed, [], 'no caller gets an error')
  await using bank = await Vaults.start({ store })
  const stored = new Map<string, number>()
  const epochs = new Map<string, number>()
  const head = await bank.head()
  for (let position = 0; position < head; ) {
    for await (const event of bank.events({ after: { position } })) {
      position = event.position
      const { id } = event.stream
      stored.set(event.commitId, (stored.get(event.commitId) ?? 0) + 1)
      const epoch = event.metadata['clusterEpoch'] as number
      assert.ok(epoch >= (epochs.get(id) ?? 0), `epoch ${epoch} of ${id} after ${epochs.get(id)}`)
      epochs.set(id, epoch)
      if (position >= head) break
    }
  }
  const amounts = new Map<string, number>()
  for (const [commandId, { id, name, amount, answer }] of told) {
    assert.equal(stored.get(commandId) ?? 0, answer === 'yes' ? 1 : 0, `${commandId} was told ${answer}`)
    if (answer === 'yes') amounts.set(id, (amounts.get(id) ?? 0) + (name === 'put' ? amount : -amount))
  }
  assert.equal(stored.size, [...told.values()].filter(({ answer }) => answer === 'yes').length)
  for (const [id, amount] of amounts) assert.equal((await bank.vault(id).state()).amount, amount, id)
}
