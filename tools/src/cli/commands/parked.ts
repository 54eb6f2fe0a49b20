/** `mneme parked`: events that projections and reactions have put aside, handled again or dropped. */
import { type Command, Option } from 'commander'
import { type ParkedEvent, ProjectionError } from '../../../../src/index.ts'
import { type FollowerKind, shown } from '../../inspection/index.ts'
import { whole } from '../arguments.ts'
import { confirm } from '../confirm.ts'
import { exitCodes } from '../ending.ts'
import { type Follower, followerNamed, followersOf, managed } from '../followers.ts'
import { type Output, oneLine, plain, streamText } from '../output.ts'
import {
  type CommonOptions,
  type Runtime,
  type StoreSession,
  sessionOf,
  withCommonOptions,
  withStore,
} from '../session.ts'

interface ParkedOptions extends CommonOptions {
  readonly kind?: FollowerKind
  readonly yes?: boolean
}

export function addParked(program: Command, runtime: Runtime): void {
  const group = program.command('parked').description('events that projections and reactions have put aside')
  const kind = () => new Option('--kind <kind>', 'if both have the name').choices(['projection', 'reaction'])
  withCommonOptions(group.command('list', { isDefault: true }))
    .description('all of them, or those of one projection or reaction')
    .argument('[name]')
    .addOption(kind())
    .action(async (name: string | undefined, options: ParkedOptions) => {
      const work = (session: StoreSession) => list(session, name, options)
      runtime.exitCode = await withStore(sessionOf(runtime, options), options, work)
    })
  withCommonOptions(group.command('retry'))
    .description('handle them again, here and now; no other process may run it')
    .argument('<name>')
    .addOption(kind())
    .action(async (name: string, options: ParkedOptions) => {
      runtime.ifInterrupted = 'Interrupted. What was handled is saved, and the rest stays parked.'
      const work = (session: StoreSession) => retry(session, name, options)
      runtime.exitCode = await withStore(sessionOf(runtime, options), options, work)
    })
  withCommonOptions(group.command('skip'))
    .description('drop the event at a position, for ever; no other process may run it')
    .argument('<name>')
    .argument('<position>', '', whole)
    .addOption(kind())
    .option('--yes', 'do not ask')
    .action((name: string, position: number, options: ParkedOptions) =>
      withStore(sessionOf(runtime, options), options, (session) => skip(session, name, position, options)),
    )
}

function chosen({ inspection }: StoreSession, kind: FollowerKind | undefined): readonly Follower[] {
  return followersOf(inspection, kind === undefined ? ['projection', 'reaction'] : [kind])
}

/** @returns the exit code */
async function list(session: StoreSession, name: string | undefined, { kind }: ParkedOptions): Promise<number> {
  const { output } = session
  const all = chosen(session, kind)
  if (name !== undefined) {
    const count = await listOf(session, followerNamed(all, name))
    if (count === 0) output.note('Nothing is parked.')
    return exitCodes.done
  }
  let [count, failed] = [0, 0]
  for (const follower of all) {
    try {
      count += await listOf(session, follower)
    } catch (error) {
      // What this program cannot read of one hides nothing of the others.
      if (!(error instanceof ProjectionError)) throw error
      failed++
      output.note(error.message)
    }
  }
  if (count === 0 && failed === 0) output.note('Nothing is parked.')
  return failed === 0 ? exitCodes.done : exitCodes.failed
}

/** @returns how many there are */
async function listOf({ inspection, output }: StoreSession, follower: Follower): Promise<number> {
  const { kind, name } = follower
  const of = kind === 'reaction' ? (await inspection.reaction(name)).reactions : await managed(inspection, follower)
  const all = (await of?.parked(name)) ?? []
  for (const parked of all) {
    const value = { kind, name, ...(shown(parked) as object) }
    await output.result(value, () => parkedText(follower, parked, output))
  }
  return all.length
}

function parkedText({ name }: Follower, parked: ParkedEvent, output: Output): string {
  const { position, type, stream, reason, parkedAt, command } = parked
  const place = `${output.style('bold', plain(name))}  ${position}  ${streamText(stream)}  ${plain(type)}`
  const what = command === undefined ? '' : `, its command ${plain(String(command['name']))}`
  return `${place}${what}  since ${parkedAt.toISOString()}\n  ${output.style('yellow', oneLine(reason))}`
}

/** @returns the exit code */
async function retry(session: StoreSession, name: string, { kind }: ParkedOptions): Promise<number> {
  const { inspection, output, signal } = session
  const follower = followerNamed(chosen(session, kind), name)
  // Handlers run here: that of a reaction with all that the domain says about it, such as what its commands carry.
  const { reactions } = follower.kind === 'reaction' ? await inspection.everything() : {}
  const { handled, parked } = await (reactions ?? (await managed(inspection, follower))).retryParked(name, { signal })
  await output.result({ kind: follower.kind, name, handled, parked }, `${handled} handled, ${parked} still parked`)
  return parked === 0 ? exitCodes.done : exitCodes.failed
}

async function skip(session: StoreSession, name: string, position: number, options: ParkedOptions): Promise<void> {
  const { inspection, output, signal } = session
  const follower = followerNamed(chosen(session, options.kind), name)
  const { kind } = follower
  const manager = await managed(inspection, follower)
  const isParked = (await manager.parked(name)).some((parked) => parked.position === position)
  if (!isParked) throw new ProjectionError('PARKED_UNKNOWN', { projection: name, position })
  await confirm(
    `The ${kind} ${name} will never handle the event at position ${position}.`,
    options.yes === true,
    signal,
  )
  await manager.skipParked(name, position)
  await output.result({ kind: follower.kind, name, skipped: position }, `the event at position ${position} was dropped`)
}
