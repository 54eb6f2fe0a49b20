/**
 * The time at which a reaction's command is decided. Another process that takes the reaction over decides the same
 * command on the same state. With another time a decision could go the other way, and both ways would be taken. So the
 * time is fixed before a decision that asks for it counts: the sender stores it, and from then on it is the same in
 * every process. Decisions that do not ask cost nothing.
 */
import type { Fence } from './dispatch-options.ts'

export class FixedTime {
  #fixedMs: number | undefined = undefined
  /** The first time at which it was asked for. */
  #wantedMs: number | undefined = undefined

  /** Whether a decision has asked for it before it was fixed. That decision must not count. */
  get isMissing(): boolean {
    return this.#wantedMs !== undefined && this.#fixedMs === undefined
  }

  /** The time in milliseconds since 1970: the present one as long as it is not fixed. */
  at(nowMs: number): number {
    this.#wantedMs ??= nowMs
    return this.#fixedMs ?? nowMs
  }

  /** A fence that also fixes the time, if a decision has asked for it. */
  behind(fence: Fence): () => Promise<void> {
    return async () => {
      const fixedMs = await fence(this.isMissing ? this.#wantedMs : undefined)
      // A sender that takes no way after the answer need not keep the time: it holds in this process only.
      if (this.isMissing) this.#fixedMs = fixedMs ?? this.#wantedMs
    }
  }
}
