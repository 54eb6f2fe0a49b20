/** `mneme migrate`: makes or updates the tables of a store, or prints the SQL for a person who may. */
import type { Command } from 'commander'
import { ToolsError } from '../../errors.ts'
import { counted } from '../output.ts'
import {
  type CommonOptions,
  type Runtime,
  type StoreSession,
  sessionOf,
  withCommonOptions,
  withStore,
} from '../session.ts'

interface MigrateOptions extends CommonOptions {
  readonly sql?: boolean
  readonly schema?: string
}

export function addMigrate(program: Command, runtime: Runtime): void {
  withCommonOptions(program.command('migrate'))
    .description('make the tables of a store if there are none, and update old ones')
    .option('--sql', 'print the SQL for PostgreSQL instead; nothing is opened')
    .option('--schema <name>', 'with --sql: the schema, mneme by default')
    .action(async (options: MigrateOptions, command: Command) => {
      if (options.schema !== undefined && !options.sql) command.error('error: --schema needs --sql')
      const session = sessionOf(runtime, options)
      if (options.sql) {
        const sql = await postgresSql(options)
        await session.output.result({ sql }, sql.trimEnd())
      } else await withStore(session, options, report, { mayCreate: true })
    })
}

async function postgresSql({ store, schema }: MigrateOptions): Promise<string> {
  const isOther = store !== undefined && !/^postgres(ql)?:/.test(store)
  if (isOther) {
    throw new ToolsError('USAGE', 'Only PostgreSQL has SQL to print', { advice: 'Other stores make what they need' })
  }
  const named = store === undefined ? null : new URLSearchParams(store.split(/\?(.*)/s)[1]).get('schema')
  const { migrationSql } = await import('../../../../src/store/postgres/index.ts')
  const wanted = schema ?? named
  return migrationSql(wanted === null || wanted === undefined ? {} : { schema: wanted })
}

async function report({ inspection, output }: StoreSession): Promise<void> {
  const { name } = inspection.store
  const head = await inspection.store.head()
  await output.result({ store: name, head }, `${name} is ready; its log has ${counted(head, 'event')}`)
}
