/** Clients: they send commands to processes, as people and other services do, and note what they are told. */
import { getEventListeners } from 'node:events'
import { hasCode } from '../../domain/error.ts'
import type { PlainCommand } from '../../domain/plain-command.ts'
import type { Random } from '../random.ts'
import { Broken, codeOf, hasEvents, isUnknown } from './checks.ts'
import {
  type Attempt,
  type ClientCommand,
  type History,
  markOf,
  type Reuse,
  type StateRead,
  type Told,
} from './history.ts'
import { watchLoad } from './leaks.ts'
import type { Marks } from './marks.ts'
import type { PersonalData } from './personal-data.ts'
import type { Plan } from './plan.ts'
import type { SimulatedProcess } from './process.ts'
import type { Way } from './way.ts'
import type { Witness } from './witness.ts'
import type { World } from './world.ts'

export interface ClientsOptions {
  readonly world: World
  readonly witness: Witness
  readonly history: History
  readonly marks: Marks
  readonly personal: PersonalData
  /** The process at a place if it is there, else another one; nothing if all are down. */
  readonly reach: (preferred: number) => SimulatedProcess | undefined
  /** Ends the run. */
  readonly fail: (broken: Broken) => void
  /** The clients that may give their command up: only they have a signal. */
  readonly hesitant: ReadonlySet<number>
}

/** A command that is with a process now. */
interface Asking {
  readonly process: SimulatedProcess
  readonly attempt: Attempt
  readonly caller: AbortController
}

/** Errors after which a client with an id of its own sends the command once more. */
const tryAgain: ReadonlySet<string | undefined> = new Set([
  'STORE_UNAVAILABLE',
  'NOT_STORED',
  'STOPPED',
  'OVERLOADED',
  'CONFLICT',
  'OWNER_UNREACHABLE',
  'KEYS_UNCONFIRMED',
  'STORE_FULL',
  'STORE_HALTED',
])

/** The reason of a signal. */
const givenUp = new Error('The client does not wait any longer')

/** The clients of a plan that give their commands up. */
export const hesitantIn = ({ actions }: Plan): ReadonlySet<number> =>
  new Set(actions.flatMap((action) => (action.kind === 'giveUp' ? [action.client] : [])))

export class Clients {
  readonly #options: ClientsOptions
  readonly #random: Random
  #waiting = 0
  readonly #asking = new Map<number, Asking>()

  constructor(options: ClientsOptions) {
    this.#options = options
    this.#random = options.world.random.fork()
  }

  /** How many have no final answer yet. */
  get waiting(): number {
    return this.#waiting
  }

  /** Sends a command; with an id of its own until the client knows what became of it. */
  send(client: number, command: PlainCommand, isRepeatable: boolean, preferred: number): Promise<void> {
    const commandId = isRepeatable ? `client-${client}` : undefined
    const known: ClientCommand = { client, command, commandId, attempts: [] }
    this.#options.history.commands.set(client, known)
    return this.#counted(() => this.#sendUntilKnown(known, preferred))
  }

  /** Sends a command once more, though its client may have an answer. */
  repeat(client: number, preferred: number): Promise<void> {
    const known = this.#options.history.commands.get(client)
    return known === undefined ? Promise.resolve() : this.#counted(() => this.#sendUntilKnown(known, preferred))
  }

  /** A client sends another client's command with the id of its own, if it knows that its own is stored. */
  reuse(
    { client, other }: { readonly client: number; readonly other: number },
    preferred: number,
    way: Pick<Way, 'count'>,
  ): void {
    const { history, witness, world } = this.#options
    const [own, others] = [history.commands.get(client), history.commands.get(other)]
    if (own === undefined || others === undefined || !own.attempts.some(({ told }) => hasEvents(told))) return
    const reuse: Reuse = { client, other, era: witness.era, told: undefined }
    history.reuses.push(reuse)
    way.count('reuse')
    const { expectedSequence: _, ...command } = others.command
    world.tell(`client ${client} sends ${command.name} ${JSON.stringify(command.data)} with the id of its own command`)
    void this.#counted(async () => {
      const process = await this.#reach(preferred)
      const sent = { ...command, commandId: own.commandId!, metadata: markOf(client) }
      const answer = await this.#ask(process, (started) => started['try'].dispatch(sent))
      reuse.told = toldOf(answer)
      world.tell(`client ${client} is told ${inWords(reuse.told)}`)
    })
  }

  /** A client gives its command up, if that is with a process. */
  giveUp(client: number, way: Way): void {
    const asking = this.#asking.get(client)
    if (asking === undefined) return
    const { process, attempt, caller } = asking
    const abort = () => {
      if (attempt.told !== undefined) return
      attempt.isGivenUp = true
      way.count('giveUp')
      this.#options.world.tell(`client ${client} gives its command up`)
      caller.abort(givenUp)
    }
    this.#options.world.after(0, `client ${client} gives up`, abort, process)
  }

  read(aggregate: string, id: string, preferred: number): Promise<void> {
    return this.#counted(async () => {
      const process = await this.#reach(preferred)
      const { history, witness, personal } = this.#options
      const stream = { aggregate, id }
      const sent = witness.at(stream)
      const { name, version } = process
      const read: StateRead = { process: name, version, aggregate, id, sent, ended: undefined, told: undefined }
      history.reads.push(read)
      const told = await this.#ask(process, async (started) => {
        const state = await started[version.keyOf(aggregate)](id).state()
        if (witness.isBehind) await witness.catchUp()
        read.ended = witness.at(stream)
        personal.saw(process, state)
        return state
      })
      if ('value' in told) read.told = { state: told.value }
      else if (told.error !== undefined) read.told = { error: told.error }
      read.ended ??= witness.at(stream)
    })
  }

  async #counted(work: () => Promise<void>): Promise<void> {
    this.#waiting++
    await work()
    this.#waiting--
  }

  async #sendUntilKnown(known: ClientCommand, preferred: number): Promise<void> {
    const { world } = this.#options
    for (let place = preferred; ; place++) {
      const told = await this.#sendOnce(known, await this.#reach(place))
      const isOver = known.commandId === undefined || !(isUnknown(told) || isWorthAgain(told))
      if (known.attempts.at(-1)!.isGivenUp) return
      if (isOver) return
      await world.pause(this.#random.int(20, 1000), 'a client waits')
    }
  }

  async #sendOnce(known: ClientCommand, process: SimulatedProcess): Promise<Told> {
    const { world, witness, personal } = this.#options
    const { client, command, commandId, attempts } = known
    const attempt: Attempt = {
      process: process.name,
      version: process.version,
      nowMs: 0,
      sent: witness.at(command),
      ended: undefined,
      told: undefined,
      isGivenUp: false,
    }
    attempts.push(attempt)
    const caller = this.#options.hesitant.has(client) ? new AbortController() : undefined
    if (caller !== undefined) this.#asking.set(client, { process, attempt, caller })
    const { aggregate, id, name, data } = command
    world.tell(`client ${client} sends ${name} on ${aggregate} ${id} to ${process.name} ${JSON.stringify(data)}`)
    const answer = await this.#ask(process, async (started) => {
      const sent = {
        ...command,
        metadata: { ...command.metadata, ...markOf(client) },
        ...(commandId !== undefined && { commandId }),
        ...(caller !== undefined && { signal: caller.signal }),
      }
      const checkLoad = watchLoad(process, command, this.#options.fail)
      const answer = started['try'].dispatch(sent)
      checkLoad()
      const outcome = await answer
      personal.saw(process, outcome)
      return outcome
    })
    const told = toldOf(answer)
    attempt.nowMs = process.environment.now()
    if (witness.isBehind) await witness.catchUp()
    attempt.ended = witness.at(command)
    attempt.told = told
    if (caller !== undefined && told !== 'nothing') this.#released(known, caller.signal)
    this.#mark(attempts, told, process)
    world.tell(`client ${client} is told ${inWords(told)}`)
    return told
  }

  /** Nobody listens any more to the signal of a command that is answered. Many commands may have one signal. */
  #released(known: ClientCommand, signal: AbortSignal): void {
    this.#asking.delete(known.client)
    const count = getEventListeners(signal, 'abort').length
    if (count === 0) return
    const reason = `that of command ${known.client} (${known.command.name}) has ${count}`
    this.#options.fail(new Broken('the signal of an answered command has no listener', reason))
  }

  #mark(attempts: readonly Attempt[], told: Told, { version }: SimulatedProcess): void {
    const { marks } = this.#options
    if (attempts.at(-1)!.isGivenUp && typeof told === 'object' && 'error' in told) {
      if (codeOf(told.error) === 'ABORTED') marks.meet('a command that its caller gives up is not decided')
      if (isUnknown(told)) marks.meet('a caller gives its command up when it may be stored')
    }
    if (typeof told === 'object' && 'error' in told) {
      if (isRefusedBy('mailboxMax', told.error))
        marks.meet('a command is refused because too many wait for its aggregate')
      if (version.meetsNewer(told.error)) marks.meet('an older version cannot load a stream that has a newer event')
    } else if (told !== 'nothing' && attempts.some((each) => each.told !== told && isUnknown(each.told))) {
      marks.meet('a client learns later what became of its command')
    }
  }

  /** Asks a process; nothing comes back if it crashes. */
  #ask(
    process: SimulatedProcess,
    ask: (started: NonNullable<SimulatedProcess['started']>) => Promise<any>,
  ): Promise<{ readonly value: any } | { readonly error: unknown }> {
    return new Promise((resolve) => {
      process.died.then(() => resolve({ error: undefined }))
      const run = () => {
        if (process.started === undefined) return resolve({ error: undefined })
        ask(process.started).then(
          (value) => resolve({ value }),
          (error) => resolve({ error }),
        )
      }
      this.#options.world.after(0.1, `to ${process.name}`, run, process)
    })
  }

  async #reach(preferred: number): Promise<SimulatedProcess> {
    for (;;) {
      const process = this.#options.reach(preferred)
      if (process !== undefined) return process
      await this.#options.world.pause(100, 'a client waits')
    }
  }
}

/** Whether a limit is the reason of an error. */
const isRefusedBy = (queue: string, error: unknown): boolean =>
  hasCode(error, 'OVERLOADED') && error.facts.queue === queue

function toldOf(answer: { readonly value: any } | { readonly error: unknown }): Told {
  if ('value' in answer) return { outcome: answer.value }
  return answer.error === undefined ? 'nothing' : { error: answer.error }
}

const isWorthAgain = (told: Told): boolean =>
  typeof told === 'object' && 'error' in told && tryAgain.has(codeOf(told.error))

function inWords(told: Told): string {
  if (told === 'nothing') return 'nothing: the process has crashed'
  if ('error' in told) return codeOf(told.error) ?? String(told.error)
  const { outcome } = told
  if (!outcome.accepted) return `no: ${(outcome.rejection as { readonly code?: string }).code}`
  const types = outcome.events.map(({ type }: { readonly type: string }) => type)
  return types.length === 0 ? 'yes, nothing to do' : `yes: ${types.join(', ')}, sequence ${outcome.sequence}`
}
