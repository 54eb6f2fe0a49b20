/** One member of a cluster: its place in it, the commands that it sends to others, and those that it serves. */
import type { AnyAggregate } from '../domain/aggregate.ts'
import type { Outcome } from '../domain/outcome.ts'
import type { StreamId } from '../domain/stream.ts'
import type { DispatchOptions } from '../kernel/dispatch-options.ts'
import type { DroppedState, HeldState } from '../kernel/handed-state.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { Moved } from '../kernel/moved.ts'
import type { Ownership } from '../kernel/ownership.ts'
import type { KeyRing } from '../kernel/personal/key-ring.ts'
import { waitAtMost } from '../runtime/environment.ts'
import { deepFreeze } from '../runtime/freeze.ts'
import type { Observing } from '../runtime/observing.ts'
import { Membership, type MembershipOptions } from './membership.ts'
import { membersIn } from './outside.ts'
import type { Placement } from './placement.ts'
import { Router } from './router.ts'
import { type Decider, Serving } from './serving.ts'
import { Sharing } from './sharing.ts'
import type { ClusterStatus } from './status.ts'
import type { Link } from './transport.ts'
import type { Knowledge, Member, View } from './view.ts'

export interface NodeOptions extends MembershipOptions {
  readonly aggregates: readonly AnyAggregate[]
  /** The projections and reactions that run here, by the names of their checkpoints. */
  readonly follows: readonly string[]
  /** The keys of personal values; absent if no part of the domain has any. */
  readonly keys: KeyRing | undefined
  /** Absent if nobody observes. */
  readonly observing: Observing | undefined
  /** How long a command looks for its owner. */
  readonly routeTimeoutMs: number
}

/** What a member gets from the domain that it runs. */
export type NodeParts = Omit<NodeOptions, 'transport' | 'secretProof' | 'leaseMs' | 'routeTimeoutMs' | 'viewName'>

/** How long states of streams that go to another member are handed over, in milliseconds. The rest is loaded. */
const handOverMsMax = 2000

/** What a running domain needs of its place in a cluster. */
export interface DomainNode extends Pick<ClusterNode, keyof ClusterNode> {}

export class ClusterNode {
  readonly #options: NodeOptions
  readonly #membership: Membership
  readonly #servings = new Set<Serving>()
  #kernel: Kernel | undefined
  #router: Router | undefined
  #shared: { readonly view: View; readonly sharing: Sharing } | undefined
  /** The sequences of the states that were given to others before this member leaves. */
  readonly #given = new WeakMap<StreamId, number>()
  /** Resolves when the states that were dropped last have arrived, or never will. */
  #handing: Promise<void> = Promise.resolve()

  constructor(options: NodeOptions) {
    this.#options = options
    const membership = new Membership(options)
    this.#membership = membership
    const underWay = () => this.#router?.underWay ?? 0
    this.ownership = {
      get epoch() {
        return membership.epoch
      },
      get underWay() {
        return underWay()
      },
      confirm: (stream) => membership.confirm(stream),
      owns: (stream) => membership.owns(stream),
      sendOn: (stream, name, data, command) => this.#router!.sendOn(stream, name, data, command),
    }
  }

  /** For the kernel. */
  readonly ownership: Ownership

  /** Begins to serve others, and becomes a member. @throws StoreError, ClusterError */
  async join(kernel: Kernel): Promise<void> {
    const { transport, environment, aggregates, follows, routeTimeoutMs, keys, observing } = this.#options
    const membership = this.#membership
    this.#kernel = kernel
    this.#router = new Router({ kernel, membership, environment, routeTimeoutMs, keys, observing })
    const address = await transport.listen((link) => this.#serve(link))
    const knows = Object.fromEntries(aggregates.map((aggregate) => [aggregate.name, knowledgeOf(aggregate)]))
    const joinedAt = Math.floor(environment.now())
    await membership.join({ address, joinedAt, knows, follows }, (isOwned) => this.#handOn(kernel.disown(isOwned)))
  }

  dispatch(stream: StreamId, name: string, data: unknown, options: DispatchOptions): Promise<Outcome> {
    return this.#router!.dispatch(stream, name, data, options)
  }

  /** The member that should run a projection, a reaction or a singleton, if it is not this one. */
  betterPlace(name: string): string | undefined {
    const better = this.#sharing.memberFor(name)
    return better === this.#membership.id ? undefined : better
  }

  get #sharing(): Sharing {
    const { view } = this.#membership
    if (this.#shared?.view !== view) this.#shared = { view, sharing: new Sharing(view.members) }
    return this.#shared.sharing
  }

  /**
   * Gives all streams to other members, and waits for the commands that were sent to them. If the others are lost, this
   * member decides those commands, so the kernel must not be stopped before.
   */
  async leave(): Promise<void> {
    const { environment } = this.#options
    await this.#membership.leave((after) => this.#handOver(after))
    await Promise.all([this.#router?.drain(), waitAtMost(environment, handOverMsMax, this.#handing)])
  }

  /** Gives states in memory to the owners that their streams will have. */
  #handOver(after: Placement): Promise<void> {
    const states = [...(this.#kernel?.states() ?? [])].map(({ stream, take }) => ({
      stream,
      take: () => {
        const handed = take()
        if (handed !== undefined) this.#given.set(stream, handed.sequence)
        return handed
      },
    }))
    return waitAtMost(this.#options.environment, handOverMsMax, this.#give(states, after))
  }

  /** Gives states that were dropped to the present owners of their streams, but for those that they have already. */
  #handOn(dropped: readonly DroppedState[]): void {
    const { elapsed } = this.#options.environment
    const droppedAt = elapsed()
    const isLate = () => elapsed() - droppedAt > handOverMsMax
    const states = dropped
      .filter(({ stream, sequence }) => this.#given.get(stream) !== sequence)
      .map(({ stream, take }) => ({ stream, take: () => (isLate() ? undefined : take()) }))
    if (states.length > 0) this.#handing = this.#give(states, this.#membership.placement)
  }

  /** Resolves when the states have arrived, or never will. */
  async #give(states: Iterable<HeldState>, owners: Placement): Promise<void> {
    const membership = this.#membership
    const given = new Map<Member, HeldState['take'][]>()
    for (const { stream, take } of states) {
      const owner = owners.ownerOf(stream)
      if (owner === undefined || owner.id === membership.id) continue
      const takes = given.get(owner)
      if (takes === undefined) given.set(owner, [take])
      else takes.push(take)
    }
    await Promise.all([...given].map(([owner, takes]) => membership.peerOf(owner).handOver(takes)))
  }

  /** Waits until commands that were sent to other members are answered, and answers are sent to them. */
  async drain(): Promise<void> {
    await this.#router?.drain()
    await Promise.all([...this.#servings].map((serving) => serving.drain()))
  }

  /** Ends the membership. Commands that are not answered fail. Never throws. */
  async end(): Promise<void> {
    await this.#membership.end()
    for (const serving of [...this.#servings]) serving.close()
    await this.#options.transport.close()
  }

  /** Decides the commands that come over a link. */
  #serve(link: Link): Serving {
    const membership = this.#membership
    const kernel = this.#kernel!
    const decider: Decider = {
      keys: this.#options.keys,
      dispatch: (stream, name, data, options, epoch) => {
        if (membership.owns(stream)) return kernel.dispatch(stream, name, data, options)
        if (epoch <= membership.epoch) throw new Moved()
        return this.#dispatchLater(stream, name, data, options, epoch)
      },
    }
    const serving: Serving = new Serving({
      id: membership.id,
      link,
      environment: this.#options.environment,
      keys: this.#options.keys,
      deciderOf: () => decider,
      epoch: () => membership.epoch,
      onEpoch: (epoch) => void membership.hearEpoch(epoch),
      onState: (handed) => kernel.receive(handed),
      onEnd: () => this.#servings.delete(serving),
    })
    this.#servings.add(serving)
    return serving
  }

  /** The sender knows the newer view of an epoch. @throws Moved */
  async #dispatchLater(
    stream: StreamId,
    name: string,
    data: unknown,
    options: DispatchOptions,
    epoch: number,
  ): Promise<Outcome> {
    await this.#membership.hearEpoch(epoch)
    if (!this.#membership.owns(stream)) throw new Moved()
    return this.#kernel!.dispatch(stream, name, data, options)
  }

  status(): ClusterStatus {
    const { id: self, view, placement } = this.#membership
    const { epoch, members, owners, shardsTakenOver } = membersIn(view, placement, this.#sharing)
    return deepFreeze({
      self,
      epoch,
      members: members.map((member) => ({ ...member, isHeard: this.#membership.isHeard(member.id) })),
      owners,
      shardsTakenOver,
      liveAggregates: this.#kernel!.load.liveAggregates,
      commandsForwarded: this.#router!.forwarded,
      longestPauseMs: this.#router!.longestPauseMs,
    })
  }

  /** The status now, and again after each change of the members. It ends when this member has left. */
  async *changes(): AsyncGenerator<ClusterStatus, void, void> {
    while (!this.#membership.ended.aborted) {
      const changed = this.#membership.changed()
      yield this.status()
      await changed
    }
  }
}

export function knowledgeOf({ decisions, folds }: AnyAggregate): Knowledge {
  const events = [...folds.values()].map(({ kind }) => [kind.type, kind.revisions.length] as const)
  return { commands: [...decisions.keys()], events: Object.fromEntries(events) }
}
