/**
 * Which member should run a projection or a reaction, so that each member has its part of the work. All members compute
 * the same from the same view. Nobody relies on it: leases decide who runs what, and a member that should not run
 * something runs it if nobody else does.
 */
import { digestOf } from '../kernel/digest.ts'
import type { Member } from './view.ts'

export class Sharing {
  readonly #members: readonly Member[]
  /** The member for each projection and reaction of the members. */
  readonly #shared: ReadonlyMap<string, string>

  constructor(members: readonly Member[]) {
    this.#members = members.filter(({ isLeaving }) => !isLeaving)
    this.#shared = shared(this.#members)
  }

  /** The member that should run it; `undefined` if there are no members. */
  memberFor(name: string): string | undefined {
    return this.#shared.get(name) ?? byScore(this.#members, name)[0]?.id
  }

  /** The projections and reactions that a member should run. */
  followersOf(id: string): readonly string[] {
    return [...this.#shared].filter(([, member]) => member === id).map(([name]) => name)
  }
}

/** Gives each name to a member that can run it, and no member more than its part while others have less. */
function shared(members: readonly Member[]): ReadonlyMap<string, string> {
  const names = [...new Set(members.flatMap(({ follows = [] }) => follows))].sort()
  const counts = new Map(members.map(({ id }) => [id, 0]))
  const given = new Map<string, string>()
  for (const name of names) {
    const able = members.filter(({ follows = [] }) => follows.includes(name))
    const least = Math.min(...able.map(({ id }) => counts.get(id)!))
    const { id } = byScore(able, name).find((member) => counts.get(member.id) === least)!
    counts.set(id, least + 1)
    given.set(name, id)
  }
  return given
}

/** The highest score first, as for the shards of streams. */
function byScore(members: readonly Member[], name: string): readonly Member[] {
  const scores = new Map(members.map((member) => [member, digestOf([member.id, name])]))
  return members.toSorted((a, b) => scores.get(b)! - scores.get(a)! || (a.id < b.id ? -1 : 1))
}
