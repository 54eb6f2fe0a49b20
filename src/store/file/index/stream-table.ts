/**
 * The number of each stream, by aggregate and id. Ids are stored end to end in one column of code units and are
 * compared exactly. A million streams take some 40 MB and no objects. Numbers are assigned in order and never removed.
 */
import type { StreamId } from '../../../domain/stream.ts'
import type { Breath } from '../../../runtime/breath.ts'
import { Column } from '../../column.ts'
import { HashTable, hashOf } from './hash-table.ts'

export class StreamTable {
  readonly #seed: number
  readonly #aggregates: string[] = []
  readonly #aggregateNumbers = new Map<string, number>()
  /** For each stream the number of its aggregate, the hash of the pair, and where its id begins in `characters`. */
  readonly aggregate: Column = new Column('uint32')
  readonly hash: Column = new Column('uint32')
  readonly idStart: Column = new Column('float64')
  readonly characters: Column = new Column('uint16')
  readonly #table: HashTable = new HashTable((stream) => this.hash.get(stream))

  constructor(seed: number) {
    this.#seed = seed
  }

  get count(): number {
    return this.aggregate.length
  }

  get aggregates(): readonly string[] {
    return this.#aggregates
  }

  aggregateNumber(aggregate: string): number | undefined {
    return this.#aggregateNumbers.get(aggregate)
  }

  /** The number of a stream; -1 if it is unknown. */
  find({ aggregate, id }: StreamId): number {
    const number = this.#aggregateNumbers.get(aggregate)
    return number === undefined ? -1 : this.#find(number, id, this.#hash(number, id))
  }

  findOrAdd({ aggregate, id }: StreamId): number {
    const number = this.#aggregateNumbers.get(aggregate) ?? this.#addAggregate(aggregate)
    const hash = this.#hash(number, id)
    const known = this.#find(number, id, hash)
    if (known !== -1) return known
    const stream = this.count
    this.aggregate.push(number)
    this.hash.push(hash)
    this.idStart.push(this.characters.length)
    for (let i = 0; i < id.length; i++) this.characters.push(id.charCodeAt(i))
    this.#table.add(hash, stream)
    return stream
  }

  idOf(stream: number): string {
    const start = this.idStart.get(stream)
    const end = stream + 1 < this.count ? this.idStart.get(stream + 1) : this.characters.length
    let id = ''
    for (let i = start; i < end; i++) id += String.fromCharCode(this.characters.get(i))
    return id
  }

  /** After the columns were read from disk. */
  async restore(aggregates: readonly string[], breath: Breath): Promise<void> {
    for (const aggregate of aggregates) this.#addAggregate(aggregate)
    this.#table.reserve(this.count)
    for (let stream = 0; stream < this.count; stream++) {
      this.#table.add(this.hash.get(stream), stream)
      if (stream % 4096 === 0 && breath.isDue) await breath.pause()
    }
  }

  #addAggregate(aggregate: string): number {
    const number = this.#aggregates.push(aggregate) - 1
    this.#aggregateNumbers.set(aggregate, number)
    return number
  }

  #hash(aggregate: number, id: string): number {
    return hashOf(this.#seed + Math.imul(aggregate, 0x9e3779b1), id)
  }

  #find(aggregate: number, id: string, hash: number): number {
    const table = this.#table
    table.seek(hash)
    for (let stream = table.next(); stream !== -1; stream = table.next()) {
      if (this.hash.get(stream) === hash && this.aggregate.get(stream) === aggregate && this.#hasId(stream, id))
        return stream
    }
    return -1
  }

  #hasId(stream: number, id: string): boolean {
    const start = this.idStart.get(stream)
    const end = stream + 1 < this.count ? this.idStart.get(stream + 1) : this.characters.length
    if (end - start !== id.length) return false
    for (let i = 0; i < id.length; i++) if (this.characters.get(start + i) !== id.charCodeAt(i)) return false
    return true
  }
}
