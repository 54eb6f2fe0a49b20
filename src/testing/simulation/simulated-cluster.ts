/**
 * A cluster of simulated processes: the links between its members, and what must be so. In the end the members agree,
 * each projection and each reaction runs at the member that should run it, and one process at a time does the work of a
 * singleton.
 */
import type { ClusterStatus } from '../../cluster/status.ts'
import { Broken } from './checks.ts'
import { Links } from './links.ts'
import type { Marks } from './marks.ts'
import type { SimulatedProcess } from './process.ts'
import type { Profile } from './profiles.ts'
import { partsOf } from './read-side.ts'
import type { Way } from './way.ts'
import type { World } from './world.ts'

export interface SimulatedClusterOptions {
  readonly world: World
  readonly way: Way
  readonly marks: Marks
  readonly profile: Profile
  /** Ends the run. */
  readonly fail: (broken: Broken) => void
}

export class SimulatedCluster {
  readonly links: Links
  readonly #world: World
  readonly #marks: Marks
  /** Absent if the clock that measures leases may be set, since two processes may then have one lease. */
  readonly #singleton: OneAtATime | undefined

  constructor({ world, way, marks, profile, fail }: SimulatedClusterOptions) {
    this.#world = world
    this.#marks = marks
    this.links = new Links(world, {
      said: (text) => marks.said(text),
      count: (fault) => way.count(fault),
      get rates() {
        return way.rates
      },
    })
    this.#singleton = profile.clock === 'of a server' ? new OneAtATime(() => world.nowUs, fail) : undefined
  }

  /** What a process does when it has started. */
  begin(process: SimulatedProcess): void {
    this.#singleton?.offer(process)
  }

  /** What comes to be so when faults are over, by names. */
  settling(processes: readonly SimulatedProcess[]): readonly (readonly [what: string, isSo: () => boolean])[] {
    const singleton = this.#singleton
    return [
      ['all members agree on the cluster', () => doMembersAgree(processes)],
      ['a process does the work of a singleton', () => singleton === undefined || singleton.isDoneBy(processes)],
    ]
  }

  /** Waits until each projection and each reaction runs at the member that should run it, and nowhere else. */
  async shared(processes: readonly SimulatedProcess[]): Promise<void> {
    for (let looks = 0; !(await isWorkShared(processes)); looks++) {
      if (looks === 0) this.#marks.meet('a projection or a reaction runs at another member than it should')
      await this.#world.pause(500, 'looks')
    }
  }

  /** @throws Broken */
  checkStopped(process: SimulatedProcess): void {
    const open = this.links.openOf(process)
    if (open > 0) throw new Broken('a member that has stopped has closed its links', `${process.name} has ${open}`)
  }
}

/** Whether all processes see all of them as members, and give every shard to the same one. */
function doMembersAgree(processes: readonly SimulatedProcess[]): boolean {
  const statuses: readonly ClusterStatus[] = processes.map(({ started }) => started!.cluster.status())
  const selves = new Set(statuses.map(({ self }) => self))
  return statuses.every(
    ({ epoch, members, owners }) =>
      epoch === statuses[0]!.epoch &&
      members.length === selves.size &&
      members.every(({ id, isLeaving }) => selves.has(id) && !isLeaving) &&
      Object.values(owners).every((each) => each.every((owner) => owner !== undefined)),
  )
}

/** Whether each process leads what it should run, and nothing else. */
async function isWorkShared(processes: readonly SimulatedProcess[]): Promise<boolean> {
  for (const { started, version } of processes) {
    const { self, members } = started!.cluster.status()
    const follows = members.find(({ id }) => id === self)?.follows ?? []
    for (const { of, key } of partsOf(version.domain)) {
      const { name, state } = await started![of].status(key)
      if (follows.includes(name) !== (state === 'running')) return false
    }
  }
  return true
}

/** The work of a singleton that every process offers to do. */
class OneAtATime {
  readonly #nowUs: () => number
  readonly #fail: (broken: Broken) => void
  readonly #working = new Map<SimulatedProcess, AbortSignal>()

  /** @param fail called when two do it at once */
  constructor(nowUs: () => number, fail: (broken: Broken) => void) {
    this.#nowUs = nowUs
    this.#fail = fail
  }

  /** Whether exactly one of the processes does it. */
  isDoneBy(processes: readonly SimulatedProcess[]): boolean {
    return processes.filter((process) => this.#working.has(process)).length === 1
  }

  offer(process: SimulatedProcess): void {
    process.started!.cluster.singleton('of a simulation', async (signal) => {
      this.#check(process)
      this.#working.set(process, signal)
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      this.#working.delete(process)
    })
  }

  #check(next: SimulatedProcess): void {
    for (const [process, { aborted }] of this.#working) {
      // One that stands still cannot end in time.
      if (aborted || process.isDead || process.frozenUntil >= this.#nowUs()) continue
      const reason = `${next.name} begins while ${process.name} has not been told to end`
      this.#fail(new Broken('one process at a time does the work of a singleton', reason))
    }
  }
}
