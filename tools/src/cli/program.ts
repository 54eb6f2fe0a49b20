/** The program `mneme`: its commands, and how errors are told. */
import { Command, CommanderError } from 'commander'
import { MnemeError } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'
import { addCompletion } from './commands/completion.ts'
import { addEvents } from './commands/events.ts'
import { addLogs } from './commands/logs.ts'
import { addMigrate } from './commands/migrate.ts'
import { addParked } from './commands/parked.ts'
import { addProjections } from './commands/projections.ts'
import { addReactions } from './commands/reactions.ts'
import { addRun } from './commands/run.ts'
import { addState } from './commands/state.ts'
import { addStudio } from './commands/studio.ts'
import { addTrace } from './commands/trace.ts'
import { exitCodes, Interrupted, onInterrupt } from './ending.ts'
import type { Runtime } from './session.ts'

const help = `
It finds mneme.config.ts in this folder or one above, or takes --store and --domain.

Exit codes: 0 done; 1 it did not work, or something was found; 2 the command line or the configuration makes no
sense; 3 the domain rejected the command; 130, 143 interrupted; 141 nobody reads the results any more.`

/** The program, with all commands. */
function programOf(runtime: Runtime): Command {
  const program = new Command('mneme')
    .description('Looks into logs of events, checks and moves them, and manages projections.')
    .addHelpText('after', help)
    .exitOverride()
    .showHelpAfterError('(mneme help shows what there is)')
  const looking = [addEvents, addState, addRun, addTrace, addStudio]
  const managing = [addProjections, addReactions, addParked, addLogs, addMigrate, addCompletion]
  for (const add of [...looking, ...managing]) add(program, runtime)
  return program
}

/**
 * Runs the program.
 *
 * @param args the command line, without the names of Node and of the program
 * @returns the exit code
 */
export async function run(args: readonly string[]): Promise<number> {
  const controller = new AbortController()
  const stopListening = onInterrupt(controller)
  try {
    const runtime: Runtime = { controller, cwd: process.cwd(), exitCode: exitCodes.done }
    await programOf(runtime).parseAsync(args, { from: 'user' })
    return exitCodeAfter(controller.signal) ?? runtime.exitCode
  } catch (error) {
    return exitCodeAfter(controller.signal) ?? tell(error, args.includes('--json'))
  } finally {
    stopListening()
  }
}

/** An interrupt explains whatever failed because of it. */
function exitCodeAfter({ aborted, reason }: AbortSignal): number | undefined {
  return aborted && reason instanceof Interrupted ? reason.exitCode : undefined
}

/** Tells an error, as JSON if the results are. @returns the exit code */
function tell(error: unknown, isJson: boolean): number {
  // Commander has told it already, and has told the help, which is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
  const isOurs = error instanceof ToolsError || error instanceof MnemeError
  const message = error instanceof Error ? (isOurs ? error.message : (error.stack ?? error.message)) : String(error)
  const { code } = isOurs ? error : { code: 'UNEXPECTED' }
  process.stderr.write(isJson ? `${JSON.stringify({ error: { code, message } })}\n` : `mneme: ${message}\n`)
  return error instanceof ToolsError && error.kind === 'usage' ? exitCodes.usage : exitCodes.failed
}
