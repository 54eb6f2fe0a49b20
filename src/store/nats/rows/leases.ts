/**
 * Leases by the server's clock: a message for each, replaced by compare-and-set, and removed by the server when it is
 * over. The clock is read before the lease is taken. However slow the connection is, a lease is therefore taken a
 * little late and kept a little short, never the opposite. A lease that was taken in the future was taken by a clock
 * that was ahead (another server's, before a new leader was elected), and counts as expired.
 */
import { StoreError } from '../../../domain/error.ts'
import type { Lease } from '../../store.ts'
import { isRecord, isText, isWhole } from '../database/checked-text.ts'
import { isWrongLastSequence } from '../database/failure.ts'
import type { Database } from '../database/setup.ts'
import { readValue, writeValue } from './value-message.ts'

/** A lease may be given back between the look at it and the try to take it. */
const triesMax = 10
/** How far the times of two callers may be apart, because they read the clock before they have a turn. */
const clockMsOff = 60_000
const second = 1000

interface Held extends Lease {
  readonly takenAt: number
}

export class Leases {
  readonly #database: Database
  readonly #label: string

  constructor(database: Database, label: string) {
    this.#database = database
    this.#label = label
  }

  async acquire(name: string, owner: string, durationMs: number): Promise<Lease> {
    const { state, subjects, connection } = this.#database
    const subject = subjects.lease(name)
    for (let tries = 1; tries <= triesMax; tries++) {
      const [{ now }, { sequence, held }] = await Promise.all([state.state(), this.#find(name)])
      const isFree = held === undefined || held.expiresAt <= now || held.takenAt > now + clockMsOff
      if (!isFree && held.owner !== owner) return { owner: held.owner, expiresAt: held.expiresAt }
      const lease: Held = { owner, expiresAt: Math.floor(now + durationMs), takenAt: Math.floor(now) }
      const data = writeValue('A lease', lease, connection.server.payloadMax)
      const ttlSeconds = Math.ceil((durationMs + clockMsOff) / second)
      try {
        await state.publish([{ subject, data, expected: sequence, ttlSeconds }])
        return { owner, expiresAt: lease.expiresAt }
      } catch (error) {
        if (!isWrongLastSequence(error)) throw error
      }
    }
    throw new StoreError('STORE_UNAVAILABLE', { store: this.#label, doing: `taking the lease ${name}` })
  }

  async release(name: string, owner: string): Promise<void> {
    const { state, subjects } = this.#database
    const { sequence, held } = await this.#find(name)
    if (held?.owner !== owner) return
    try {
      await state.publish([{ subject: subjects.lease(name), data: '', expected: sequence, ttlSeconds: 1 }])
    } catch (error) {
      if (!isWrongLastSequence(error)) throw error
    }
  }

  async #find(name: string): Promise<{ readonly sequence: number; readonly held: Held | undefined }> {
    const { state, subjects } = this.#database
    const subject = subjects.lease(name)
    const message = (await state.lastOf([subject])).get(subject)
    if (message === undefined) return { sequence: 0, held: undefined }
    const where = `the lease ${JSON.stringify(name)}`
    const held = readValue(message, isHeld, { store: this.#label, where })
    return { sequence: message.sequence, held }
  }
}

const isHeld = (value: unknown): value is Held =>
  isRecord(value) && isText(value['owner']) && isWhole(value['expiresAt']) && isWhole(value['takenAt'])
