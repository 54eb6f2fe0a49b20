/** Members in processes of their own, callers that send to them, and the check of what they were told. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { StoreFactory } from '../../../src/index.ts'
import { ChildProgram } from '../../../src/testing/crash/child-program.ts'
import type { Place } from '../crash/writer-protocol.ts'
import { type Call, type Entry, judge } from '../linearizability/checker.ts'
import type { FromMember } from './member-program.ts'
import { Vaults } from './vaults.ts'

const program = new URL('member-program.ts', import.meta.url)
/** A process that does not end in this time hangs. */
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

  /** Takes its links to others, or its store, from it for a while. */
  async cut(from: 'others' | 'store', forMs: number): Promise<void> {
    const whole = this.#until('whole')
    this.#child.send({ tell: 'cut', from, forMs })
    await whole
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
  /** By the clock of the callers, in nanoseconds. */
  readonly calledAt: number
  readonly answeredAt: number
  readonly answer: Answer
}

/** Callers, each with a vault of its own choice at each time. A caller whose member ends asks another one. */
export class Callers {
  readonly told = new Map<string, Told>()
  /** The longest time that a caller waited for a member that did not end meanwhile, in milliseconds. */
  readonly #longestWaits = new Map<MemberProcess, number>()
  /** A command that was called before this time, in nanoseconds, is sent again after an error that allows it. */
  #mayRepeatUntil = Number.NEGATIVE_INFINITY
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

  /** The longest wait of a caller of other members since this was asked last. */
  takeLongestWait(except: ReadonlySet<MemberProcess>): number {
    const waits = [...this.#longestWaits].flatMap(([member, waitMs]) => (except.has(member) ? [] : [waitMs]))
    this.#longestWaits.clear()
    return Math.max(0, ...waits)
  }

  /** Waits until so many more commands are answered. */
  goOn(answers: number): Promise<void> {
    const wanted = this.told.size + answers
    return new Promise((resolve) => this.#wanted.push({ wanted, resolve }))
  }

  /**
   * Takes the store from a member for a while. Callers may get errors until it has answered a look at each vault since.
   */
  async cutFromStore(member: MemberProcess, forMs: number): Promise<void> {
    this.#mayRepeatUntil = Number.POSITIVE_INFINITY
    await member.cut('store', forMs)
    await Promise.all(Array.from({ length: this.#vaults }, (_, vault) => this.#ask(vault, 'take', 0, [member])))
    this.#mayRepeatUntil = performance.now() * 1e6
  }

  async #send(): Promise<void> {
    const vault = this.#whole(this.#vaults)
    const name = this.#random() < 0.6 ? 'put' : 'take'
    // To take nothing is to look.
    const amount = name === 'take' && this.#random() < 0.2 ? 0 : 1 + this.#whole(9)
    await this.#ask(vault, name, amount)
  }

  /** Sends a command until it is answered. @param of whom it is sent to; to any member if left out */
  async #ask(vault: number, name: 'put' | 'take', amount: number, of?: readonly MemberProcess[]): Promise<void> {
    const commandId = `c${++this.#last}`
    const id = `vault ${vault}`
    const command = { id, name, amount, commandId } as const
    const calledAt = performance.now() * 1e6
    for (let isFirst = true; ; isFirst = false) {
      const members = of ?? this.#members()
      const member = members[this.#whole(members.length)]!
      const answer = await member.send(command)
      const isAgain = answer !== 'ended' && answer.mayRepeat === true && calledAt < this.#mayRepeatUntil
      if (answer === 'ended' || isAgain) {
        if (this.#isOver) return
        await new Promise((resolve) => setTimeout(resolve, 5))
        continue
      }
      const longest = this.#longestWaits.get(member) ?? 0
      if (isFirst && answer.tookMs > longest) this.#longestWaits.set(member, answer.tookMs)
      this.told.set(commandId, { id, name, amount, calledAt, answeredAt: performance.now() * 1e6, answer })
      for (const { wanted, resolve } of this.#wanted) if (this.told.size >= wanted) resolve()
      return
    }
  }

  #whole(below: number): number {
    return Math.floor(this.#random() * below)
  }
}

/**
 * Checks the log against what callers were told: no caller got an error, every answer was right at some moment between
 * call and answer, each "yes" is stored once and nothing else is, and the epochs of a stream never go down.
 */
export async function checkTold(store: StoreFactory, told: ReadonlyMap<string, Told>): Promise<void> {
  const failed = [...told].flatMap(([commandId, { answer }]) =>
    answer.answer === 'error' ? [`${commandId} after ${Math.round(answer.tookMs)} ms: ${answer.why}`] : [],
  )
  assert.deepEqual(failed, [], 'no caller gets an error')
  await using bank = await Vaults.start({ store })
  const entries = new Map<string, Entry[]>()
  const epochs = new Map<string, number>()
  const head = await bank.head()
  for (let position = 0; position < head; ) {
    for await (const event of bank.events({ after: { position } })) {
      position = event.position
      const { id } = event.stream
      const { amount } = event.data
      const entry = { commandId: event.commitId, change: event.type === 'Put' ? amount : -amount }
      const others = entries.get(id)
      if (others === undefined) entries.set(id, [entry])
      else others.push(entry)
      const epoch = event.metadata['clusterEpoch'] as number
      assert.ok(epoch >= (epochs.get(id) ?? 0), `epoch ${epoch} of ${id} after ${epochs.get(id)}`)
      epochs.set(id, epoch)
      if (position >= head) break
    }
  }
  const calls = Map.groupBy([...told], ([, { id }]) => id)
  assert.deepEqual(
    [...entries.keys()].filter((id) => !calls.has(id)),
    [],
  )
  for (const [id, of] of calls) assert.deepEqual(judge(of.map(callOf), entries.get(id) ?? []), [], id)
}

/** What was told, as the judge of histories knows it. */
function callOf([commandId, { name, amount, calledAt, answeredAt, answer }]: readonly [string, Told]): Call {
  const balance = answer.amount!
  const kind = ({ yes: 'stored', no: 'rejected', nothing: 'nothing', error: 'failed' } as const)[answer.answer]
  return {
    commandId,
    name: name === 'put' ? 'deposit' : amount === 0 ? 'look' : 'withdraw',
    amount,
    calledAt,
    answered: {
      at: answeredAt,
      answer: kind === 'stored' ? { kind, sequence: answer.sequence!, balance } : { kind, balance },
    },
  }
}
