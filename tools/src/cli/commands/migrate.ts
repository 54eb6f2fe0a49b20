/** `mneme migrate`: makes or updates the tables of a store, or prints the SQL for a person who may. */
import type { Command } from 'commander'
import { ToolsError } from '../../errors.ts'
import { whole } from '../arguments.ts'
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
  readonly from?: number
}

export function addMigrate(program: Command, runtime: Runtime): void {
  withCommonOptions(program.command('migrate'))
    .description('make the tables of a store if there are none, and update old ones')
    .option('--sql', 'print the SQL for PostgreSQL instead; nothing is opened')
    .option('--schema <name>', 'with --sql: the schema, mneme by default')
    .option(
      '--from <version>',
      'with --sql: the version of the tables that are there; without it, there are none',
      whole,
    )
    .action(async (options: MigrateOptions, command: Command) => {
      for (const name of ['schema', 'from'] as const) {
        if (options[name] !== undefined && !options.sql) command.error(`error: --${name} needs --sql`)
      }
      const session = sessionOf(runtime, options)
      if (options.sql) {
        const sql = await postgresSql(options)
        await session.output.result({ sql }, sql.trimEnd())
      } else await withStore(session, options, report, { mayCreate: true })
    })
}

async function postgresSql({ store, schema, from }: MigrateOptions): Promise<string> {
  const isOther = store !== undefined && !/^postgres(ql)?:/.test(store)
  if (isOther) {
    throw new ToolsError('USAGE', 'Only PostgreSQL has SQL to print', { advice: 'Other stores make what they need' })
  }
  const named = store === undefined ? null : new URLSearchParams(store.split(/\?(.*)/s)[1]).get('schema')
  const { migrationSql } = await import('../../../../src/store/postgres/index.ts')
  const wanted = schema ?? named ?? undefined
  return migrationSql({ ...(wanted !== undefined && { schema: wanted }), ...(from !== undefined && { from }) })
}

async function report({ inspection, output }: StoreSession): Promise<void> {
  const { name } = inspection.store
  const head = await inspection.store.head()
  await output.result({ store: name, head }, `${name} is ready; its log has ${counted(head, 'event')}`)
}
