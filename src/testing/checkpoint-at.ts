/** Checkpoints as tests write them. */
import type { JsonObject } from '../domain/json.ts'
import type { Checkpoint } from '../store/store.ts'

/** A checkpoint at a position, in term 0 with nothing noted unless said otherwise. */
export const at = (position: number, term: number = 0, note: JsonObject = {}): Checkpoint => ({ position, term, note })
