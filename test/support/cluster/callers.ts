/**
 * Callers of members in processes of their own. Some put into vaults and take from them, others let a reaction move
 * money between the same vaults. A caller whose member ends asks another one. What they are told is kept.
 */
import type { MemberCommand } from './member-program.ts'
import type { Answer, MemberProcess } from './members.ts'
import type { End } from './transfers.ts'

/** What a caller of a vault was told in the end. */
export interface Told {
  readonly id: string
  readonly name: 'put' | 'take'
  readonly amount: number
  /** By the clock of the callers, in nanoseconds. */
  readonly calledAt: number
  readonly answeredAt: number
  readonly answer: Answer
}

/** A transfer that a caller has asked for. */
export interface Asked {
  readonly from: string
  readonly to: string
  readonly amount: number
  readonly calledAt: number
  /** What was told of it, and when it was: how it ended, or an error. */
  over?: { readonly at: number; readonly end: End } | { readonly at: number; readonly why: string }
}

/** How long a caller of vaults rests at most between two commands, in milliseconds. Faults are to meet all of them. */
const restMsMax = 20
/** How long the caller of a transfer waits before it looks again, in milliseconds. */
const lookAgainMs = 60
/**
 * A transfer that has not ended when so many commands were answered since will never end. Idle members answer as many
 * in half a minute, and a transfer takes a few seconds at most. Busy ones take longer for both.
 */
const answersMax = 5_000
/** The same in milliseconds, for members that answer nothing: the test has to say so before it is ended itself. */
const endlessMs = 900_000

/** A transfer does not end. */
export class EndlessTransfer extends Error {
  readonly id: string

  constructor(id: string, answers: number) {
    super(`The transfer ${id} does not end, and ${answers} commands were answered meanwhile`)
    this.id = id
  }
}

interface CallersOptions {
  /** How many vaults there are. */
  readonly vaults: number
  readonly random: () => number
}

export class Callers {
  readonly told = new Map<string, Told>()
  /** By the id of the transfer, which is that of the command too. */
  readonly transfers = new Map<string, Asked>()
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
  #answers = 0

  constructor(members: () => readonly MemberProcess[], { vaults, random }: CallersOptions) {
    this.#members = members
    this.#vaults = vaults
    this.#random = random
  }

  /** Lets so many callers of each kind go on until `end`. Resolves when all of them have been answered. */
  async run(ofVaults: number, ofTransfers: number): Promise<void> {
    await Promise.all([
      ...Array.from({ length: ofVaults }, () => this.#callVaults()),
      ...Array.from({ length: ofTransfers }, () => this.#callTransfers()),
    ])
  }

  /** Nothing new is asked for. */
  end(): void {
    this.#isOver = true
  }

  /** The longest wait of a caller of other members since this was asked last. */
  takeLongestWait(except: ReadonlySet<MemberProcess>): number {
    const waits = [...this.#longestWaits].flatMap(([member, waitMs]) => (except.has(member) ? [] : [waitMs]))
    this.#longestWaits.clear()
    return Math.max(0, ...waits)
  }

  /** Waits until so many more commands to vaults are answered. */
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
    await Promise.all(Array.from({ length: this.#vaults }, (_, i) => this.#askVault(vault(i), 'take', 0, [member])))
    this.#mayRepeatUntil = performance.now() * 1e6
  }

  async #callVaults(): Promise<void> {
    while (!this.#isOver) {
      const id = vault(this.#whole(this.#vaults))
      const name = this.#random() < 0.48 ? 'put' : 'take'
      // To take nothing is to look.
      const amount = name === 'take' && this.#random() < 0.2 ? 0 : 1 + this.#whole(9)
      await this.#askVault(id, name, amount)
      await rest(this.#whole(restMsMax))
    }
  }

  async #askVault(id: string, name: 'put' | 'take', amount: number, of?: readonly MemberProcess[]): Promise<void> {
    const calledAt = now()
    const command = { aggregate: 'vault', id, name, data: { amount }, commandId: this.#newId() } as const
    const answer = await this.#ask(command, of)
    if (answer === undefined) return
    this.told.set(command.commandId, { id, name, amount, calledAt, answeredAt: now(), answer })
    for (const { wanted, resolve } of this.#wanted) if (this.told.size >= wanted) resolve()
  }

  async #callTransfers(): Promise<void> {
    while (!this.#isOver) {
      const from = this.#whole(this.#vaults)
      const to = (from + 1 + this.#whole(this.#vaults - 1)) % this.#vaults
      await this.#transfer({ from: vault(from), to: vault(to), amount: 1 + this.#whole(9), calledAt: now() })
    }
  }

  /** Asks for a transfer, and looks until it has ended. */
  async #transfer(asked: Asked): Promise<void> {
    const id = this.#newId()
    const answersBefore = this.#answers
    this.transfers.set(id, asked)
    const { calledAt, ...data } = asked
    const to = { aggregate: 'transfer', id } as const
    let answer = await this.#ask({ ...to, name: 'start', data, commandId: id })
    while (answer !== undefined && answer.answer !== 'error' && answer.end === undefined) {
      const answers = this.#answers - answersBefore
      if (answers > answersMax || now() - calledAt > endlessMs * 1e6) throw new EndlessTransfer(id, answers)
      await rest(lookAgainMs)
      answer = await this.#ask({ ...to, name: 'look', data: {}, commandId: this.#newId() })
    }
    if (answer === undefined) return
    const { end, why } = answer
    asked.over = { at: now(), ...(end === undefined ? { why: `${why}` } : { end }) }
  }

  /**
   * Sends a command until it is answered.
   *
   * @param of whom it is sent to; to any member if left out
   * @returns the answer; none if all is over and nobody is there to give one
   */
  async #ask(command: MemberCommand, of?: readonly MemberProcess[]): Promise<Answer | undefined> {
    const calledAt = now()
    for (let isFirst = true; ; isFirst = false) {
      const members = of ?? this.#members()
      const member = members[this.#whole(members.length)]!
      const answer = await member.send(command)
      const isAgain = answer !== 'ended' && answer.mayRepeat === true && calledAt < this.#mayRepeatUntil
      if (answer === 'ended' || isAgain) {
        if (this.#isOver) return undefined
        if (members.every(({ isGone }) => isGone)) throw new Error('No member is left')
        await rest(5)
        continue
      }
      const longest = this.#longestWaits.get(member) ?? 0
      this.#answers++
      if (isFirst && answer.tookMs > longest) this.#longestWaits.set(member, answer.tookMs)
      return answer
    }
  }

  #newId(): string {
    return `c${++this.#last}`
  }

  #whole(below: number): number {
    return Math.floor(this.#random() * below)
  }
}

const now = (): number => performance.now() * 1e6
const vault = (i: number): string => `vault ${i}`
const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
