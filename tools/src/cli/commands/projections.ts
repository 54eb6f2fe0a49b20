/** `mneme projections`: where projections are, and their rows built again or compared. */
import type { Command } from 'commander'
import type { Job, RowComparison } from '../../../../src/index.ts'
import { shown, statusOf } from '../../inspection/index.ts'
import { whole } from '../arguments.ts'
import { exitCodes } from '../ending.ts'
import { addPausing, followerNamed, followersOf, statusText } from '../followers.ts'
import { counted, jsonLine, type Output, plain } from '../output.ts'
import { showProgress } from '../progress.ts'
import {
  type CommonOptions,
  type Runtime,
  type StoreSession,
  sessionOf,
  withCommonOptions,
  withStore,
} from '../session.ts'

interface CompareOptions extends CommonOptions {
  readonly limit: number
}

export function addProjections(program: Command, runtime: Runtime): void {
  const group = program.command('projections').description('where projections are, and their rows')
  withCommonOptions(group.command('list', { isDefault: true }))
    .description('all projections')
    .action((options: CommonOptions) => withStore(sessionOf(runtime, options), options, (session) => list(session)))
  withCommonOptions(group.command('status'))
    .description('one projection')
    .argument('<name>')
    .action((name: string, options: CommonOptions) =>
      withStore(sessionOf(runtime, options), options, (session) => list(session, name)),
    )
  addPausing(group, runtime, 'projection')
  withCommonOptions(group.command('rebuild'))
    .description('build all rows again beside the live ones, and make them live in one step')
    .argument('<name>')
    .action((name: string, options: CommonOptions) =>
      withStore(sessionOf(runtime, options), options, (session) => rebuild(session, name)),
    )
  withCommonOptions(group.command('compare'))
    .description('build all rows again, and say which live rows differ; the live rows stay')
    .argument('<name>')
    .option('--limit <number>', 'list at most so many differences; all are counted', whole, 100)
    .action(async (name: string, options: CompareOptions) => {
      const work = (session: StoreSession) => compare(session, name, options.limit)
      runtime.exitCode = await withStore(sessionOf(runtime, options), options, work)
    })
}

async function list({ inspection, output }: StoreSession, name?: string): Promise<void> {
  const all = followersOf(inspection, ['projection'])
  if (all.length === 0) output.note('The domain has no projections.')
  for (const follower of name === undefined ? all : [followerNamed(all, name)]) {
    const status = await statusOf(inspection, follower.kind, follower.name)
    await output.result(status, () => statusText(status, output))
  }
}

async function rebuild(session: StoreSession, name: string): Promise<void> {
  const { inspection, output, signal } = session
  followerNamed(followersOf(inspection, ['projection']), name)
  const running = await inspection.projections()
  const { position, events } = await watched('rebuilding', running.projections.rebuild(name, { signal }))
  await output.result(
    { name, position, events },
    `${plain(name)} was rebuilt from ${counted(events, 'event')}, up to position ${position}`,
  )
}

/** @returns the exit code */
async function compare(session: StoreSession, name: string, limit: number): Promise<number> {
  const { inspection, output, signal } = session
  followerNamed(followersOf(inspection, ['projection']), name)
  const running = await inspection.projections()
  const found = await watched('comparing', running.projections.compare(name, { limit, signal }))
  const differences = found.differences.map(({ key, live, rebuilt }) => ({
    key,
    ...(live !== undefined && { live: shown(live) }),
    ...(rebuilt !== undefined && { rebuilt: shown(rebuilt) }),
  }))
  const { position, rows, differing } = found
  await output.result({ name, position, rows, differing, differences }, () => comparisonText(name, found, output))
  return differing === 0 ? exitCodes.done : exitCodes.failed
}

function comparisonText(name: string, found: RowComparison, output: Output): string {
  const { position, rows, differing, differences } = found
  const summary = `${counted(rows, 'row')} of ${plain(name)} at position ${position}`
  if (differing === 0) return `${output.style('green', 'equal')}: ${summary}`
  const side = (row: unknown) => (row === undefined ? 'no row' : jsonLine(shown(row)))
  const lines = differences.map(({ key, live, rebuilt }) => {
    return `  ${plain(key)}: ${output.style('red', side(live))} -> ${output.style('green', side(rebuilt))}`
  })
  const more = differing > differences.length ? [`  and ${differing - differences.length} more`] : []
  return [`${output.style('red', 'different')}: ${differing} of ${summary}`, ...lines, ...more].join('\n')
}

/** Waits for a long work, and shows how far it is. */
async function watched<Result>(verb: string, job: Job<Result>): Promise<Result> {
  let progress: ReturnType<typeof showProgress> | undefined
  try {
    for await (const { position, head } of job) {
      progress ??= showProgress({ verb, unit: 'positions', total: head, stream: process.stderr })
      progress.at(position)
    }
    return await job
  } finally {
    progress?.end()
  }
}
