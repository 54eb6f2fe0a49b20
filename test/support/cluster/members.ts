/** Members in processes of their own. */
import type { TestContext } from 'node:test'
import { ChildProgram } from '../../../src/testing/crash/child-program.ts'
import type { Place } from '../crash/writer-protocol.ts'
import type { FromMember, MemberCommand } from './member-program.ts'

const program = new URL('member-program.ts', import.meta.url)
/** A process that does not end in this time hangs. */
const timeoutMs = 600_000

export type Answer = FromMember & { readonly say: 'answer' }

/** One member's process. */
export class MemberProcess {
  readonly #child: ChildProgram
  readonly #waiting = new Map<string, (answer: Answer | 'ended') => void>()
  readonly #heard = new Map<FromMember['say'], (message: FromMember) => void>()
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
  send(command: MemberCommand) {
    if (this.isGone) return Promise.resolve('ended' as const)
    return new Promise<Answer | 'ended'>((resolve) => {
      this.#waiting.set(command.commandId, resolve)
      this.#child.send({ tell: 'send', command })
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

  /** What it is doing. */
  async describe(): Promise<string> {
    const described = this.#until('described')
    this.#child.send({ tell: 'describe' })
    const { as } = (await described) as FromMember & { readonly say: 'described' }
    return `Member ${this.#child.pid}: ${as}`
  }

  #until(what: FromMember['say']): Promise<FromMember> {
    return Promise.race([
      new Promise<FromMember>((resolve) => this.#heard.set(what, resolve)),
      this.#child.endedWell().then(() => {
        throw new Error(`The member ended before it had ${what}`)
      }),
    ])
  }

  #hear(message: FromMember): void {
    if (message.say === 'answer') {
      this.#waiting.get(message.commandId)?.(message)
      this.#waiting.delete(message.commandId)
    } else this.#heard.get(message.say)?.(message)
  }
}
