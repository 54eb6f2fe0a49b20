/**
 * Rare things that came about in a run, counted: a run that never meets them proves little. They are recognised from
 * the calls between processes and the store, and from what the simulation sees itself, so the library knows nothing of
 * them.
 */
import type { View } from '../../cluster/view.ts'
import { domainView } from '../../cluster/view-store.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { AppendResult, Lease, ProjectionStep, Row, StoredEvent, StreamEnd } from '../../store/store.ts'
import { codeOf } from './checks.ts'
import type { SimulatedProcess } from './process.ts'
import type { Answer, Call, Watch } from './way.ts'

/** All marks, in the order in which they are shown. */
export const markNames = [
  'a commit conflicts',
  'a commit conflicts twice and is stored in the end',
  'a commit waits because the stream is reserved for another writer',
  'an append without an answer turns out to be stored',
  'an append without an answer turns out not to be stored',
  'a look shows that the stream has moved on',
  'a state is loaded from a snapshot',
  'a client learns later what became of its command',
  'a command of a reaction is sent again, and is stored once',
  'a scheduled command is sent again, and is stored once',
  'a lease passes on although its owner is alive',
  'a step is on its way while another process takes over',
  'a step of a process that was overtaken is refused',
  'an event is parked',
  'an event queues behind a parked one',
  'a parked event is handled later',
  'a parked event is skipped',
  'rows are rebuilt',
  'a rebuild fails',
  'a projection or a reaction is paused while it leads',
  'an older version stands back from a newer event',
  'an older version cannot load a stream that has a newer event',
  'events that an older version passed over are handled later',
  'a process is cut from the store while a call is on its way',
  'only a part of a batch is stored',
  'the store goes back to an older state',
  'only the log goes back to an older state',
  'a reader is told that the log is not the one that it has read',
  'a projection or a reaction stops because it has handled another log',
  'a command is sent to the owner of its stream',
  'a command is sent to an owner again',
  'a member does not own the stream of a command any more',
  'an owner asks the sender of a command for its fence',
  'a member that leaves gives a state to the next owner',
  'a member that gives no answer is removed by another one',
  'a shard is taken over from a member that cannot be reached',
  'a projection or a reaction runs at another member than it should',
  'a store looks itself what became of an append',
  'it is unknown whether a transaction was saved',
  'a transaction was open for too long',
  'a transaction is undone because its process has ended',
  'somebody is forgotten of whom something is stored',
  'a personal value reads as forgotten',
  'a process reads a value for a while although its key is destroyed',
  'a personal value cannot be read while the key store is out of reach',
  'a batch is undone because the disk has failed',
  'a store halts because its disk has failed',
  'a store cannot be opened because its disk has failed',
  'a lock is taken over from a process that has ended',
  'an unfinished end of a file is cut',
  'a power failure leaves what nobody was told about',
  'a process ends while its store waits for the disk',
  'a backup of all files is put back',
  'a backup of the files of the log is put back',
  'a write at a wrong place is found',
  'a write at a wrong place does no harm',
  'a command that its caller gives up is not decided',
  'a caller gives its command up when it may be stored',
  'a command is refused because too many wait for its aggregate',
  'a commit passes a reservation that its process has not noticed',
] as const
export type Mark = (typeof markNames)[number]

const lostAnswer = (answer: Answer): boolean => 'error' in answer && codeOf(answer.error) === 'STORE_UNAVAILABLE'
const keyOf = ({ aggregate, id }: StreamId): string => `${aggregate} ${id}`
/** As `stored/parked-events.ts` writes them. */
const isParked = ({ key }: Row): boolean => key.startsWith('\u0001parked ')

/** Whether a call saves a step, with or without a transaction. */
const isStep = ({ method, args }: Call): boolean =>
  method === 'saveStep' || (method === 'transact' && args[1] !== undefined)

/** A step on its way. */
interface Step {
  readonly process: SimulatedProcess
  readonly projection: string
}

export class Marks implements Watch {
  readonly counts: Map<Mark, number> = new Map()
  readonly #conflicts = new Map<string, number>()
  /** Commits whose append had no answer. */
  readonly #unknown = new Set<string>()
  /** The last sequence that a process knows of a stream. */
  readonly #known = new Map<string, number>()
  readonly #steps = new Map<Call, Step>()
  readonly #owners = new Map<string, SimulatedProcess>()
  readonly #underWay = new Set<Call>()

  /** A member of a cluster says something to another. */
  said(text: string): void {
    if (text.includes('"say":"state"')) this.meet('a member that leaves gives a state to the next owner')
    if (text.includes('"say":"ask fence"')) this.meet('an owner asks the sender of a command for its fence')
    if (text.includes('"isRepeated":true')) this.meet('a command is sent to an owner again')
    else if (text.includes('"say":"command"')) this.meet('a command is sent to the owner of its stream')
    if (text.includes('"moved":true')) this.meet('a member does not own the stream of a command any more')
  }

  meet(mark: Mark): void {
    this.counts.set(mark, (this.counts.get(mark) ?? 0) + 1)
  }

  /** A process is cut from the store now. */
  cut(process: SimulatedProcess): void {
    for (const call of this.#underWay) {
      if (call.process !== process) continue
      this.meet('a process is cut from the store while a call is on its way')
      return
    }
  }

  sent(call: Call): void {
    const { process, args } = call
    this.#underWay.add(call)
    if (isStep(call)) this.#steps.set(call, { process, projection: args[0] })
  }

  done(call: Call, answer: Answer): void {
    const { process, method, args } = call
    if (isStep(call)) this.#stepDone(process, args[0], args[1], answer)
    else if (method === 'releaseLease') this.#owners.delete(args[0])
    else if (method === 'acquireLease' && 'value' in answer) this.#leaseDone(process, args[0], args[1], answer.value)
  }

  storedInPart(): void {
    this.meet('only a part of a batch is stored')
  }

  answered(call: Call, answer: Answer): void {
    const { process, method, args } = call
    this.#underWay.delete(call)
    this.#steps.delete(call)
    if (method === 'transact') this.#transacted(call, answer)
    if (method === 'append') this.#appended(process, args[0], answer)
    else if ('error' in answer) return
    // The kernel asks for a command that would now be rejected, or have nothing to do.
    else if (method === 'findCommit' && answer.value !== undefined) this.#sentAgain(args[1])
    else if (method === 'streamEnds') this.#looked(process, args[0], answer.value)
    else if (method === 'readStream') this.#read(process, args[0], answer.value)
    else if (method === 'loadSnapshot' && answer.value !== undefined) this.meet('a state is loaded from a snapshot')
  }

  // -- streams ---------------------------------------------------------------------------------------------------

  #appended(process: SimulatedProcess, commits: readonly { id: string; stream: StreamId }[], answer: Answer): void {
    if ('error' in answer) {
      if (lostAnswer(answer)) for (const { id } of commits) this.#unknown.add(id)
      return
    }
    const results: readonly AppendResult[] = answer.value
    for (const [i, { id, stream }] of commits.entries()) {
      const result = results[i]!
      const wasUnknown = this.#unknown.delete(id)
      if (result.status === 'conflict') {
        this.meet('a commit conflicts')
        if (result.reserved) this.meet('a commit waits because the stream is reserved for another writer')
        this.#conflicts.set(id, (this.#conflicts.get(id) ?? 0) + 1)
        continue
      }
      this.#known.set(`${process.name} ${keyOf(stream)}`, result.sequence)
      if (result.status === 'stored') {
        if ((this.#conflicts.get(id) ?? 0) >= 2) this.meet('a commit conflicts twice and is stored in the end')
        if (wasUnknown) this.meet('an append without an answer turns out not to be stored')
        continue
      }
      if (wasUnknown) this.meet('an append without an answer turns out to be stored')
      this.#sentAgain(id)
    }
  }

  /** A command that is stored already was sent. */
  #sentAgain(id: string): void {
    // The ids of the library have no colon, except for those that are derived from an event.
    if (!id.startsWith('~') || !id.includes(':')) return
    const isScheduled = id.includes(':scheduled')
    this.meet(`a ${isScheduled ? 'scheduled command' : 'command of a reaction'} is sent again, and is stored once`)
  }

  #looked({ name }: SimulatedProcess, streams: readonly StreamId[], ends: readonly StreamEnd[]): void {
    for (const [i, stream] of streams.entries()) {
      const known = this.#known.get(`${name} ${keyOf(stream)}`) ?? 0
      if (ends[i]!.sequence > known) this.meet('a look shows that the stream has moved on')
    }
  }

  #read({ name }: SimulatedProcess, stream: StreamId, events: readonly StoredEvent[]): void {
    const last = events.at(-1)
    if (last !== undefined) this.#known.set(`${name} ${keyOf(stream)}`, last.sequence)
  }

  // -- projections -------------------------------------------------------------------------------------------------

  #stepDone(process: SimulatedProcess, projection: string, { from, to, rows }: ProjectionStep, answer: Answer): void {
    if ('error' in answer) {
      if (codeOf(answer.error) === 'CHECKPOINT_CONFLICT') this.meet('a step of a process that was overtaken is refused')
      return
    }
    const taken = rows.some(({ value }) => Object.keys((value as Partial<View>)?.takenOver ?? {}).length > 0)
    if (projection === domainView && taken) this.meet('a shard is taken over from a member that cannot be reached')
    if (to.term > from.term) {
      const others = [...this.#steps.values()].filter((step) => step.projection === projection)
      if (others.some((step) => step.process !== process && !step.process.isDead)) {
        this.meet('a step is on its way while another process takes over')
      }
    }
    for (const row of rows) {
      if (!isParked(row) || row.value === undefined) continue
      const { reason, isPassedOver = false } = row.value as { readonly reason: string; readonly isPassedOver?: boolean }
      if (isPassedOver) this.meet('events that an older version passed over are handled later')
      else if (reason.startsWith('it queues behind')) this.meet('an event queues behind a parked one')
      else this.meet('an event is parked')
    }
  }

  #transacted({ args: [, step] }: Call, answer: Answer): void {
    if (!('error' in answer)) return
    if (step !== undefined && lostAnswer(answer)) this.meet('it is unknown whether a transaction was saved')
    if (codeOf(answer.error) === 'TRANSACTION_TOO_LONG') this.meet('a transaction was open for too long')
  }

  /** A store looks itself what became of an append. */
  askedItself(): void {
    this.meet('a store looks itself what became of an append')
  }

  /** A transaction of a process that has ended is undone. */
  missed(): void {
    this.meet('a transaction is undone because its process has ended')
  }

  #leaseDone(process: SimulatedProcess, name: string, asked: string, { owner }: Lease): void {
    if (owner !== asked) return
    const before = this.#owners.get(name)
    this.#owners.set(name, process)
    if (before === undefined || before === process || before.isDead) return
    this.meet('a lease passes on although its owner is alive')
  }
}
