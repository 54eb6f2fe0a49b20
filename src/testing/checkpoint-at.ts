/** Makes checkpoints for tests. */
import type { JsonObject } from '../domain/json.ts'
import type { Checkpoint } from '../store/store.ts'

/** A checkpoint at a position, by default in term 0 and with an empty note. */
export const at = (position: number, term: number = 0, note: JsonObject = {}): Checkpoint => ({ position, term, note })
