/** Clients: they send commands to processes, as people and other services do, and note what they are told. */
import type { PlainCommand } from '../../domain/plain-command.ts'
import type { Random } from '../random.ts'
import { codeOf, isUnknown } from './checks.ts'
import { type Attempt, type ClientCommand, type History, markOf, type StateRead, type Told } from './history.ts'
import type { Marks } from './marks.ts'
import type { PersonalData } from './personal-data.ts'
import type { SimulatedProcess } from './process.ts'
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

export class Clients {
  readonly #options: ClientsOptions
  readonly #random: Random
  #waiting = 0

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
    }
    attempts.push(attempt)
    const { aggregate, id, name, data } = command
    world.tell(`client ${client} sends ${name} on ${aggregate} ${id} to ${process.name} ${JSON.stringify(data)}`)
    const answer = await this.#ask(process, async (started) => {
      const sent = { ...command, metadata: markOf(client), ...(commandId !== undefined && { commandId }) }
      const outcome = await started['try'].dispatch(sent)
      personal.saw(process, outcome)
      return outcome
    })
    const told = toldOf(answer)
    attempt.nowMs = process.environment.now()
    attempt.ended = witness.at(command)
    attempt.told = told
    this.#mark(attempts, told, process)
    world.tell(`client ${client} is told ${inWords(told)}`)
    return told
  }

  #mark(attempts: readonly Attempt[], told: Told, { version }: SimulatedProcess): void {
    const { marks } = this.#options
    if (typeof told === 'object' && 'error' in told) {
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
