/**
 * The checksums of events and of what is noted of their commits: 32 bits over all that is stored of each, so that a
 * damaged row is found when it is read, and an event is told from another at its place.
 *
 * They are made in two steps. The hash is over all that is known before the append, and is made here, over the exact
 * texts that are stored. Where the event comes to stand is known to the function in the database only: it mixes
 * sequence and position in by arithmetic that is the same here and there (`placed`, `placedIn`).
 */
import type { StreamId } from '../../../domain/stream.ts'
import type { CommandMark } from '../../commit.ts'

/** What is stored of an event, as it is stored. */
interface EventTexts {
  readonly commitId: string
  readonly recordedAt: number
  readonly type: string
  readonly revision: number
  readonly tags: readonly string[]
  /** JSON; empty if there is none. */
  readonly metadata: string
  /** JSON. */
  readonly data: string
}

const seed = 0x6d6e656d
const multiplier = 0x9e3779b1
const positionMultiplier = 40_503
const low = 0x7fffffff
const bits = 31

/** One more number below 2^32. For each of them it is one to one, so that no single change goes unseen. */
function mix(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ value, multiplier)
  return mixed ^ (mixed >>> 15)
}

/** A whole number. */
const mixNumber = (hash: number, value: number): number => mix(mix(hash, value | 0), Math.floor(value / 0x1_0000_0000))

/** A text, two of its UTF-16 units at once. Its length tells where the next one begins. */
function mixText(hash: number, text: string): number {
  const { length } = text
  let mixed = mix(hash, length)
  const pairsEnd = length & ~1
  for (let i = 0; i < pairsEnd; i += 2) mixed = mix(mixed, text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16))
  return pairsEnd === length ? mixed : mix(mixed, text.charCodeAt(pairsEnd))
}

/** Where the hashes of a stream's events begin. */
export const hashOfStream = ({ aggregate, id }: StreamId): number => mixText(mixText(seed, aggregate), id)

/** @param ofStream `hashOfStream` */
export function hashOfEvent(ofStream: number, event: EventTexts): number {
  const { tags } = event
  let hash = mixNumber(mixText(ofStream, event.commitId), event.recordedAt)
  hash = mix(mixNumber(mixText(hash, event.type), event.revision), tags.length)
  for (const tag of tags) hash = mixText(hash, tag)
  return mixText(mixText(hash, event.metadata), event.data)
}

/** Of what is noted with the first event of a commit. @param ofStream `hashOfStream` */
export function hashOfCommit(ofStream: number, commitId: string, count: number, command?: CommandMark): number {
  const hash = mix(mixText(ofStream, commitId), count)
  return command === undefined ? hash : mixNumber(mixText(hash, command.name), command.digest)
}

/** The checksum that a hash becomes at its place: a number of 32 bits with a sign, as the database keeps it. */
export const placed = (hash: number, sequence: number, position: number): number =>
  hash ^
  (sequence & low) ^
  (Math.floor(sequence / 2 ** bits) & low) ^
  (Math.imul(position & low, positionMultiplier) & low) ^
  (Math.floor(position / 2 ** bits) & low)

/** The same in SQL. */
export const placedIn = (hash: string, sequence: string, position: string): string =>
  `${hash} # ((${sequence}) & ${low})::integer # (((${sequence}) >> ${bits}) & ${low})::integer
    # ((((${position}) & ${low}) * ${positionMultiplier}) & ${low})::integer
    # (((${position}) >> ${bits}) & ${low})::integer`

/** A checksum as callers know it. */
export const unsigned = (checksum: number): number => checksum >>> 0
