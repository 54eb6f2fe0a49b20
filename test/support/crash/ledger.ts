/**
 * What is known of a bank from outside: which commands were announced, and what was answered to whom. It is held
 * against the log, which must hold every acknowledged command once, where it was told to be, every command without an
 * answer once at most, and nothing else. The fold of the log is done here by hand, so that it owes nothing to the
 * library. Of streams that are not accounts nothing is known but that their events take positions.
 */
import assert from 'node:assert/strict'
import type { StoredEvent } from '../../../src/index.ts'
import type { BankCommand, FromWriter, Told } from './writer-protocol.ts'

/** A command, and the answer to it that somebody has had. */
interface Known {
  readonly command: BankCommand
  answer: 'none' | 'rejected' | Told
}

/** An account as the log tells it. */
export interface AccountSoFar {
  readonly balance: number
  readonly sequence: number
}

const typeOf = { open: 'AccountOpened', deposit: 'MoneyDeposited', withdraw: 'MoneyWithdrawn' } as const

export class Ledger {
  readonly #commands = new Map<string, Known>()
  #answers = 0

  /** How many answers were heard, repeated ones included. */
  get answers(): number {
    return this.#answers
  }

  /** Commands that nobody has had an answer to. */
  unanswered(): readonly BankCommand[] {
    return [...this.#commands.values()].filter(({ answer }) => answer === 'none').map(({ command }) => command)
  }

  hear(said: FromWriter): void {
    if (said.say === 'announced') this.#announce(said.command)
    else if (said.say === 'rejected') this.#answer(said.commandId, 'rejected')
    else if (said.say === 'acknowledged') {
      const { commandId, sequence, position, balance } = said
      this.#answer(commandId, { sequence, position, balance })
    }
  }

  /** Forgets the answers about what lies behind a position: the log was allowed to lose it. */
  allowLossBehind(position: number): void {
    for (const known of this.#commands.values()) {
      if (typeof known.answer === 'object' && known.answer.position > position) known.answer = 'none'
    }
  }

  /** Holds the whole log against what is known. Returns the accounts as it tells them. */
  check(events: readonly StoredEvent[]): ReadonlyMap<string, AccountSoFar> {
    const accounts = new Map<string, AccountSoFar>()
    const seen = new Set<string>()
    for (const [i, event] of events.entries()) {
      const { commitId, position, sequence, stream } = event
      const before = accounts.get(stream.id) ?? { balance: 0, sequence: 0 }
      assert.equal(position, i + 1, 'the positions of the log have no gap')
      if (stream.aggregate !== 'account') continue
      assert.equal(sequence, before.sequence + 1, `the sequences of ${stream.id} have no gap (at position ${position})`)
      assert.ok(!seen.has(commitId), `the command ${commitId} is in the log once (again at position ${position})`)
      seen.add(commitId)
      const balance = before.balance + movementOf(event)
      this.#checkEvent(event, balance)
      assert.ok(balance >= 0, `no account is overdrawn (${stream.id} is, at position ${position})`)
      accounts.set(stream.id, { balance, sequence })
    }
    for (const [commandId, { answer }] of this.#commands) {
      if (typeof answer !== 'object') continue
      assert.ok(
        seen.has(commandId),
        `the acknowledged command ${commandId} is in the log (told: ${JSON.stringify(answer)})`,
      )
    }
    return accounts
  }

  #announce(command: BankCommand): void {
    if (!this.#commands.has(command.commandId)) this.#commands.set(command.commandId, { command, answer: 'none' })
  }

  #answer(commandId: string, answer: Told | 'rejected'): void {
    const known = this.#commands.get(commandId)
    assert.ok(known, `the command ${commandId}, which was answered, had been announced`)
    if (known.answer !== 'none') assert.deepEqual(answer, known.answer, `the answer to ${commandId} is the same again`)
    known.answer = answer
    this.#answers++
  }

  #checkEvent({ commitId, type, data, stream, sequence, position }: StoredEvent, balance: number): void {
    const known = this.#commands.get(commitId)
    assert.ok(known, `the event at position ${position} is of a command that was announced (${commitId})`)
    const { command, answer } = known
    assert.notEqual(answer, 'rejected', `the command ${commitId}, which was rejected, is not in the log`)
    const found = { aggregate: stream.aggregate, id: stream.id, type, data }
    assert.deepEqual(found, {
      aggregate: command.aggregate,
      id: command.id,
      type: typeOf[command.name],
      data: command.data,
    })
    if (typeof answer === 'object') {
      assert.deepEqual({ sequence, position, balance }, answer, `the command ${commitId} did what its sender was told`)
    }
  }
}

/** What an event adds to the balance. */
function movementOf({ type, data }: StoredEvent): number {
  if (type === typeOf.open) return 0
  const { amount } = data as { readonly amount: number }
  return type === typeOf.deposit ? amount : -amount
}
