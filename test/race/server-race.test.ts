/**
 * Processes that write to one database of a server, and processes that follow it, one reader each. The servers that
 * stand in for MongoDB here search where it seeks, each commit that there is at each question, so they get fewer
 * events, in larger commits and pages. A writer that others outrun for long gets no error for it: how patient a store
 * is, is not what races (see `fair-writers.test.ts`).
 */
import { test } from 'node:test'
import { serverPlace } from '../support/crash/server-place.ts'
import { raceProcesses } from '../support/race/process-race.ts'
import { withSeed } from '../support/seed.ts'
import { findFerretdb, findMongodb } from '../support/servers/mongodb-server.ts'
import { findNats } from '../support/servers/nats-server.ts'
import { findPostgres } from '../support/servers/postgres-server.ts'
import { onServer } from '../support/servers/server.ts'
import { sized } from '../support/size.ts'

const timeoutMs = 1_000_000

const races = [
  { title: 'PostgreSQL', find: findPostgres, store: 'postgres', events: sized(20_000, 4_000), eventsOfCommitMax: 50 },
  { title: 'NATS', find: findNats, store: 'nats', events: sized(20_000, 8_000), eventsOfCommitMax: 50 },
  { title: 'MongoDB', find: findMongodb, store: 'mongodb', events: 10_000, eventsOfCommitMax: 100, pageSizeMin: 150 },
  { title: 'FerretDB', find: findFerretdb, store: 'mongodb', events: 10_000, eventsOfCommitMax: 200, pageSizeMin: 200 },
] as const

for (const { title, find, store, ...sizes } of races) {
  await onServer(title, find, (server) => {
    test('4 processes that write and 5 that follow lose, double, skip and tear nothing', {
      timeout: timeoutMs + 10_000,
    }, async (context) => {
      const options = { ...sizes, writerProcesses: 4, readerProcesses: 5, timeoutMs }
      await withSeed((random) =>
        raceProcesses(context, serverPlace(context, server, store, { timeoutMs }), options, random),
      )
    })
  })
}
