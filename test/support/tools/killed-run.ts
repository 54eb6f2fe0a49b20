/**
 * An export or import that kills its own process when it has come to a position, so that a test knows that it was
 * killed, and where: `killed-run.ts export bank.db log.jsonl 500`.
 */
import { createReadStream } from 'node:fs'
import { sqlite } from '../../../src/store/sqlite/index.ts'
import { exportToFile } from '../../../tools/src/log/export-log.ts'
import { importLog } from '../../../tools/src/log/import-log.ts'

const [what, database, file, position] = process.argv.slice(2) as [string, string, string, string]
const store = await sqlite(database).open({ warn: () => {}, now: Date.now })
const onProgress = (reached: number) => {
  if (reached >= Number(position)) process.kill(process.pid, 'SIGKILL')
}
if (what === 'export') await exportToFile(store, file, { format: 'json', onProgress })
else await importLog(store, createReadStream(file), { onProgress })
