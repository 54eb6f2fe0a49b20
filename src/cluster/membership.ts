/**
 * The place of this process in the cluster: it joins and leaves the view, notices members that have ended, and knows
 * which member owns a stream.
 *
 * Nothing here has to be right for answers to be true. Two members that both believe to own a stream only conflict, as
 * two processes without a cluster do.
 */
import { ClusterError } from '../domain/error.ts'
import type { StreamId } from '../domain/stream.ts'
import { type Environment, sleep } from '../runtime/environment.ts'
import type { Warn } from '../runtime/warning.ts'
import type { Store } from '../store/store.ts'
import { Peer } from './peer.ts'
import { Placement, shardOf } from './placement.ts'
import type { Transport } from './transport.ts'
import { type Content, type Member, type View, withLeaving, withMember, withoutMember, withTakenOver } from './view.ts'
import { domainView, ViewStore } from './view-store.ts'

export interface MembershipOptions {
  readonly store: Store
  readonly environment: Environment
  readonly warn: Warn
  readonly transport: Transport
  /** The same for all that have the secret of the cluster. */
  readonly secretProof: string
  /** How long a member may be silent before others take its streams over. */
  readonly leaseMs: number
  /** The name under which the view is stored. That of a domain's members, if it is left out. */
  readonly viewName?: string
}

/** Whether this process owns a stream. @param shard its shard, if it is not that of the stream alone */
export type IsOwned = (stream: StreamId, shard?: number) => boolean

/** How often the last member that leaves looks whether the others are gone, in milliseconds. */
const lookAgainMs = 20
/** How long a member keeps a shard that another one wants back, in milliseconds. Otherwise the two would alternate. */
const keepMs = 300

export class Membership {
  readonly id: string
  readonly #options: MembershipOptions
  readonly #views: ViewStore
  #placement: Placement = new Placement({ members: [], takenOver: {} })
  readonly #peers = new Map<string, Peer>()
  #self: Member | undefined
  #isLeaving = false
  readonly #ended = new AbortController()
  #beating: Promise<void> | undefined
  #watching: Promise<void> | undefined
  readonly #removing = new Map<string, Promise<void>>()
  readonly #looking = new Map<string, Promise<boolean>>()
  /** Streams whose shards are to be taken over, with their present owners. */
  readonly #lost: { readonly stream: StreamId; readonly shard: number; readonly owner: Member | undefined }[] = []
  #takingOver: Promise<void> = Promise.resolve()
  /** When this member lost a shard, by the shard. */
  readonly #lostAt = new Map<number, number>()
  #onChange: (() => void)[] = []
  /** Drops what this process does not own any more. Set when it joins. */
  #disown: (isOwned: IsOwned) => void = () => {}

  constructor(options: MembershipOptions) {
    this.#options = options
    this.id = options.environment.newId()
    const { store, viewName = domainView, environment } = options
    this.#views = new ViewStore(store, viewName, environment, (view) => this.#adopt(view))
  }

  get view(): View {
    return this.#views.view
  }

  get placement(): Placement {
    return this.#placement
  }

  get epoch(): number {
    return this.view.epoch
  }

  get isLeaving(): boolean {
    return this.#isLeaving
  }

  /** Aborted when the membership has ended. */
  get ended(): AbortSignal {
    return this.#ended.signal
  }

  /** @throws StoreError */
  async confirm(stream: StreamId, shard?: number): Promise<boolean> {
    await this.#views.refresh()
    return this.owns(stream, shard)
  }

  owns(stream: StreamId, shard?: number): boolean {
    return this.#placement.isOwner(this.id, stream, shard)
  }

  ownerOf(stream: StreamId, shard?: number): Member | undefined {
    return this.#placement.ownerOf(stream, shard)
  }

  /** Reads the view. @throws StoreError */
  refresh(): Promise<void> {
    return this.#views.refresh()
  }

  /** Another member knows the view of an epoch. Resolves when it is known here, too. Never throws. */
  async hearEpoch(epoch: number): Promise<void> {
    // A failure does no harm: the view is read again soon.
    if (epoch > this.epoch) await this.#views.reach(epoch).catch(() => {})
  }

  peerOf({ id, address }: Pick<Member, 'id' | 'address'>): Peer {
    let peer = this.#peers.get(id)
    if (peer === undefined) {
      const { transport, environment } = this.#options
      const onEpoch = (epoch: number) => void this.hearEpoch(epoch)
      peer = new Peer({ id, address, transport, environment, epoch: () => this.epoch, onEpoch })
      this.#peers.set(id, peer)
    }
    return peer
  }

  /** Whether something was heard of a member lately. */
  isHeard(id: string): boolean {
    return id === this.id || this.#peers.get(id)?.isHeard === true
  }

  /** Resolves when the view changes next, or the membership ends. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#onChange.push(resolve))
  }

  // -- coming and going ----------------------------------------------------------------------------------------

  /** Becomes a member. @throws StoreError; ClusterError `SECRET_DIFFERS` */
  async join(self: Omit<Member, 'id' | 'isLeaving'>, disown: (isOwned: IsOwned) => void): Promise<void> {
    this.#self = { ...self, id: this.id, isLeaving: false }
    this.#disown = disown
    await this.#renew()
    await this.#checkSecret()
    await this.#enter()
    this.#beating = this.#beat()
  }

  /**
   * Gives all streams to other members. What has begun goes on. If all others leave too, this one waits until they are
   * gone, and decides what they were given before.
   *
   * @param handOver called before that with the owners afterwards, while this member still decides
   */
  async leave(handOver: (after: Placement) => Promise<void>): Promise<void> {
    this.#isLeaving = true
    await handOver(new Placement(withLeaving(this.view, this.id)))
    try {
      while (!this.ended.aborted) {
        await this.#views.change((view) => this.#withoutOwn(view))
        const { members } = this.view
        const isLast = members.some(({ id, isLeaving }) => id === this.id && !isLeaving)
        if (!isLast || members.length === 1) break
        await sleep(this.#options.environment, lookAgainMs, this.ended)
      }
    } catch {
      // The store is unavailable. The others find out.
    }
    this.#tellOthers()
  }

  /** A view in which this member owns nothing, unless it is the last one that others can send commands to. */
  #withoutOwn(view: View): Content | undefined {
    const isMember = isIn(view, this.id)
    if (view.members.some(({ id, isLeaving }) => id !== this.id && !isLeaving)) {
      return isMember ? withLeaving(view, this.id) : undefined
    }
    // Somebody may have believed that it had ended.
    return isMember || view.members.length === 0 ? undefined : withMember(view, this.#self!, this.#options.secretProof)
  }

  /** Tells the others that the view has changed. */
  #tellOthers(): void {
    for (const peer of this.#peers.values()) peer.speak()
  }

  /** Ends the membership. Never throws: what cannot be said to the store, the others find out. */
  async end(): Promise<void> {
    this.#isLeaving = true
    this.#ended.abort()
    await this.#beating
    await this.#watching
    await this.#views.change((view) => (isIn(view, this.id) ? withoutMember(view, this.id) : undefined)).catch(() => {})
    this.#tellOthers()
    await this.#options.store.releaseLease(leaseOf(this.id), this.id).catch(() => {})
    for (const peer of this.#peers.values()) peer.close()
    this.#tellChange()
  }

  // -- other members that give no answer -----------------------------------------------------------------------

  /** Whether the lease of a member is over. Many commands may ask at the same time. @throws StoreError */
  hasEnded({ id }: Pick<Member, 'id'>): Promise<boolean> {
    let looking = this.#looking.get(id)
    if (looking === undefined) {
      looking = this.#looksEnded(id).finally(() => this.#looking.delete(id))
      this.#looking.set(id, looking)
    }
    return looking
  }

  async #looksEnded(id: string): Promise<boolean> {
    const lease = await this.#options.store.acquireLease(leaseOf(id), this.id, 1)
    return lease.owner === this.id
  }

  /** Removes a member that has ended. Many commands may find that out at the same time. @throws StoreError */
  remove(gone: Member, why: 'refused' | 'silent'): Promise<void> {
    let removing = this.#removing.get(gone.id)
    if (removing === undefined) {
      removing = this.#remove(gone, why).finally(() => this.#removing.delete(gone.id))
      this.#removing.set(gone.id, removing)
    }
    return removing
  }

  async #remove(gone: Member, why: 'refused' | 'silent'): Promise<void> {
    let isRemoved = false
    await this.#views.change((view) => {
      isRemoved = isIn(view, gone.id)
      return isRemoved ? withoutMember(view, gone.id) : undefined
    })
    // Otherwise each process that ends leaves a row, its own or that of the last one that looked. A member that lives
    // takes its lease again.
    const owners = [...(isRemoved ? [gone.id] : []), ...(why === 'silent' ? [this.id] : [])]
    for (const owner of owners) await this.#options.store.releaseLease(leaseOf(gone.id), owner).catch(() => {})
    if (!isRemoved) return
    const because = why === 'refused' ? 'refuses connections' : 'gives no sign of life'
    const message = `The member ${gone.address} was removed from the cluster, because it ${because}`
    this.#options.warn({ code: 'MEMBER_REMOVED', message })
  }

  /**
   * Takes over the shard of a stream that no other member decides: its owner cannot be reached from here, or it has
   * none. A member that leaves does so too, because it still has to answer the commands that it was given before.
   *
   * @throws StoreError
   */
  async takeOver(stream: StreamId, owner: Member | undefined, shard: number = shardOf(stream)): Promise<void> {
    const { environment } = this.#options
    const lostAt = this.#lostAt.get(shard)
    const restMs = lostAt === undefined ? 0 : lostAt + keepMs - environment.elapsed()
    if (restMs > 0) await sleep(environment, restMs, this.ended)
    // Many commands find out at the same time that a member is silent. Their shards go together.
    this.#lost.push({ stream, shard, owner })
    this.#takingOver = this.#takingOver.catch(() => {}).then(() => this.#takeOverLost())
    return this.#takingOver
  }

  async #takeOverLost(): Promise<void> {
    const lost = this.#lost.splice(0)
    if (lost.length === 0) return
    await this.#views.change((view) => {
      const isMember = isIn(view, this.id)
      // One that was taken for ended enters again by itself, unless it leaves.
      if (!isMember && !this.#isLeaving) return undefined
      const leaving: Member = { ...this.#self!, isLeaving: true }
      const content = isMember ? view : withMember(view, leaving, this.#options.secretProof)
      const placement = new Placement(view)
      const wanted = lost.filter(({ stream, shard, owner }) => placement.ownerOf(stream, shard)?.id === owner?.id)
      const taken = withTakenOver(content, [...new Set(wanted.map(({ shard }) => shard))], this.id)
      // It cannot decide what another program knows better.
      const after = new Placement(taken)
      const isUseful = wanted.some(({ stream, shard }) => after.isOwner(this.id, stream, shard))
      return isUseful ? taken : undefined
    })
  }

  // -- the view ------------------------------------------------------------------------------------------------

  #adopt(view: View): void {
    const before = this.#placement
    this.#placement = new Placement(view)
    for (const [id, peer] of this.#peers) {
      if (isIn(view, id)) continue
      peer.close()
      this.#peers.delete(id)
    }
    for (const member of view.members) if (member.id !== this.id) this.peerOf(member).open()
    const lostAt = this.#options.environment.elapsed()
    this.#disown((stream, shard = shardOf(stream)) => {
      const isOwned = this.owns(stream, shard)
      if (!isOwned && before.ownerOf(stream, shard)?.id === this.id) this.#lostAt.set(shard, lostAt)
      return isOwned
    })
    this.#tellChange()
    // Somebody believed that this member had ended.
    if (this.#beating !== undefined && !this.#isLeaving && !isIn(view, this.id)) void this.#enter().catch(() => {})
  }

  #tellChange(): void {
    for (const tell of this.#onChange.splice(0)) tell()
  }

  /** @throws StoreError; ClusterError `SECRET_DIFFERS` */
  #enter(): Promise<void> {
    const { secretProof } = this.#options
    return this.#views.change((view) => {
      if (this.#isLeaving || isIn(view, this.id)) return undefined
      // Others may have entered since this member has looked, or since it was removed.
      const [other] = view.members
      if (other !== undefined && view.secretProof !== secretProof) {
        throw new ClusterError('SECRET_DIFFERS', { address: other.address })
      }
      return withMember(view, this.#self!, secretProof)
    })
  }

  /** Members of a cluster with another secret would refuse every command of this one. @throws ClusterError */
  async #checkSecret(): Promise<void> {
    await this.#views.refresh()
    const { members, secretProof } = this.view
    if (secretProof === '' || secretProof === this.#options.secretProof) return
    for (const member of members) {
      if (!(await this.hasEnded(member))) throw new ClusterError('SECRET_DIFFERS', { address: member.address })
      await this.remove(member, 'silent')
    }
  }

  async #renew(): Promise<void> {
    await this.#options.store.acquireLease(leaseOf(this.id), this.id, this.#options.leaseMs)
  }

  /**
   * The members whose leases this one looks at: those that it does not hear, and the next one by id. A member that is
   * heard may have lost the store. So somebody looks at each lease, and nobody at all of them.
   */
  #watched(): readonly Member[] {
    const others = this.view.members.filter(({ id }) => id !== this.id).sort((a, b) => (a.id < b.id ? -1 : 1))
    const next = others.find(({ id }) => id > this.id) ?? others[0]
    return others.filter((member) => member === next || !this.isHeard(member.id))
  }

  /** Looks whether the others are still there. On a slow store that takes long, and the own lease does not wait. */
  #watch(): void {
    this.#watching ??= this.#lookAtOthers()
      .catch(() => {})
      .finally(() => {
        this.#watching = undefined
      })
  }

  /** @throws StoreError */
  async #lookAtOthers(): Promise<void> {
    for (const member of this.#watched()) {
      if (this.ended.aborted) return
      this.peerOf(member).open()
      if (await this.hasEnded(member)) await this.remove(member, 'silent')
    }
  }

  /** Renews the lease, reads the view, and looks whether the others are still there. */
  async #beat(): Promise<void> {
    const { environment, leaseMs } = this.#options
    while (!this.ended.aborted) {
      await sleep(environment, leaseMs / 4, this.ended, { background: true })
      if (this.ended.aborted) return
      try {
        await this.#renew()
        await this.#views.refresh()
        await this.#enter()
        this.#watch()
      } catch {
        // The store is unavailable. Commands meet that too and report it; here it is tried again.
      }
    }
  }
}

const isIn = ({ members }: View, wanted: string): boolean => members.some(({ id }) => id === wanted)
const leaseOf = (id: string): string => `cluster member ${id}`
