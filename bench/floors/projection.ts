/**
 * The projection's floor, on the stores that have one: the same rows read and the same documents upserted by a bare
 * loop.
 */
import type { Place } from '../setting.ts'
import { projectInPostgres } from './postgres-reading.ts'
import { projectInSqlite } from './sqlite-projection.ts'

/** Projects the log of a store as bare as can be; gives the seconds it took, if the store has such a floor. */
export async function projectBare(place: Place): Promise<number | undefined> {
  if (place.name === 'sqlite') return projectInSqlite(place.path)
  return place.name === 'postgres' ? projectInPostgres(place) : undefined
}
