/**
 * The checksums of events, and of what is stored of their commits. Each has 32 bits over all that is stored. They show
 * a damaged row when it is read, and distinguish an event from another one at the same position.
 *
 * They are made in two steps. The hash covers everything that is known before the append. It is made here, over the
 * exact texts that are stored. Sequence and position are known only to the function in the database. It mixes them in
 * with arithmetic that is the same here and there (`placed`, `placeMarkIn`). That is why this file is among the
 * functions of the database, and not in `log/`.
 */
import type { StreamId } from '../../../domain/stream.ts'
import type { CommandMark } from '../../commit.ts'

/** The texts and numbers of an event as they are stored. */
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

/** Mixes in a number below 2^32. It is one to one for each number, so no single change goes unnoticed. */
function mix(hash: number, value: number): number {
  const mixed = Math.imul(hash ^ value, multiplier)
  return mixed ^ (mixed >>> 15)
}

/** Mixes in a whole number. */
const mixNumber = (hash: number, value: number): number => mix(mix(hash, value | 0), Math.floor(value / 0x1_0000_0000))

/**
 * Mixes in a text, two UTF-16 units at once. The length is mixed in first, so it is clear where the next text begins.
 */
function mixText(hash: number, text: string): number {
  const { length } = text
  let mixed = mix(hash, length)
  const pairsEnd = length & ~1
  for (let i = 0; i < pairsEnd; i += 2) mixed = mix(mixed, text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16))
  return pairsEnd === length ? mixed : mix(mixed, text.charCodeAt(pairsEnd))
}

/** The hash with which the hashes of a stream's events begin. */
export const hashOfStream = ({ aggregate, id }: StreamId): number => mixText(mixText(seed, aggregate), id)

/** @param ofStream `hashOfStream` */
export function hashOfEvent(ofStream: number, event: EventTexts): number {
  const { tags } = event
  let hash = mixNumber(mixText(ofStream, event.commitId), event.recordedAt)
  hash = mix(mixNumber(mixText(hash, event.type), event.revision), tags.length)
  for (const tag of tags) hash = mixText(hash, tag)
  return mixText(mixText(hash, event.metadata), event.data)
}

/** The hash of what is stored with the first event of a commit. @param ofStream `hashOfStream` */
export function hashOfCommit(ofStream: number, commitId: string, count: number, command?: CommandMark): number {
  const hash = mix(mixText(ofStream, commitId), count)
  return command === undefined ? hash : mixNumber(mixText(hash, command.name), command.digest)
}

/** The checksum of a hash at its place: a signed number of 32 bits, as the database stores it. */
export const placed = (hash: number, sequence: number, position: number): number =>
  hash ^
  (sequence & low) ^
  (Math.floor(sequence / 2 ** bits) & low) ^
  (Math.imul(position & low, positionMultiplier) & low) ^
  (Math.floor(position / 2 ** bits) & low)

/** The same in SQL without the hash: the number that the hash is combined with by `#`. */
export const placeMarkIn = (sequence: string, position: string): string =>
  `((${sequence}) & ${low})::integer # (((${sequence}) >> ${bits}) & ${low})::integer
    # ((((${position}) & ${low}) * ${positionMultiplier}) & ${low})::integer
    # (((${position}) >> ${bits}) & ${low})::integer`

/** A checksum in the form that callers get. */
export const unsigned = (checksum: number): number => checksum >>> 0
