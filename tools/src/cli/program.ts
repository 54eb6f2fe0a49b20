/** The program `mneme`: its commands, and how errors are told. */
import { Command, CommanderError } from 'commander'
import { DefinitionError, MnemeError } from '../../../src/index.ts'
import { ToolsError, wordsOf } from '../errors.ts'
import { addCompletion } from './commands/completion.ts'
import { addDev } from './commands/dev.ts'
import { addEvents } from './commands/events.ts'
import { addLogs } from './commands/logs.ts'
import { addMcp } from './commands/mcp.ts'
import { addMigrate } from './commands/migrate.ts'
import { addParked } from './commands/parked.ts'
import { addProjections } from './commands/projections.ts'
import { addReactions } from './commands/reactions.ts'
import { addRun } from './commands/run.ts'
import { addState } from './commands/state.ts'
import { addStudio } from './commands/studio.ts'
import { addTrace } from './commands/trace.ts'
import { exitCodes, Interrupted, onInterrupt } from './ending.ts'
import { harmless, jsonLine } from './output.ts'
import type { Runtime } from './session.ts'
import { version } from './version.ts'

const help = `
It finds mneme.config.ts in this folder or one above, or takes --store and --domain.

Exit codes: 0 done; 1 it did not work, or something was found; 2 the command line or the configuration makes no
sense, or there is no store; 3 the domain rejected the command; 130, 143 interrupted; 141 nobody reads the results
any more.`

/** The program, with all commands. */
function programOf(runtime: Runtime, isJson: boolean): Command {
  const program = new Command('mneme')
    .description('Looks into logs of events, checks and moves them, and manages projections.')
    .addHelpText('after', help)
    .version(version(), '-V, --version', 'print the version of this program')
    .exitOverride()
    // With --json it is told below, in the form of all errors.
    .configureOutput({ writeErr: (text) => isJson || process.stderr.write(harmless(text)) })
    .showHelpAfterError('(mneme help shows what there is)')
  const looking = [addDev, addEvents, addState, addRun, addTrace, addStudio, addMcp]
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
  const isJson = wantsJson(args)
  const stopListening = onInterrupt(controller)
  const runtime: Runtime = { controller, cwd: process.cwd(), exitCode: exitCodes.done }
  try {
    await programOf(runtime, isJson).parseAsync(args, { from: 'user' })
    return exitCodeAfter(controller.signal) ?? runtime.exitCode
  } catch (error) {
    const interrupted = exitCodeAfter(controller.signal)
    if (interrupted === undefined) return tell(error, isJson)
    const { ifInterrupted: note } = runtime
    if (note !== undefined) process.stderr.write(`${isJson ? jsonLine({ note }) : note}\n`)
    return interrupted
  } finally {
    stopListening()
  }
}

/** An interrupt explains whatever failed because of it. */
function exitCodeAfter({ aborted, reason }: AbortSignal): number | undefined {
  return aborted && reason instanceof Interrupted ? reason.exitCode : undefined
}

/** Whether what is told is JSON, also those of the command line itself. What follows `--` is no option. */
export function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return (end === -1 ? args : args.slice(0, end)).includes('--json')
}

/** Tells an error, as JSON if the results are. @returns the exit code */
function tell(error: unknown, isJson: boolean): number {
  if (error instanceof CommanderError) {
    // The help is no error. Without --json, commander has told the error already.
    if (error.exitCode === 0) return exitCodes.done
    if (isJson) tellJson('USAGE', error.message.replace(/^error: /, ''))
    return exitCodes.usage
  }
  const { code, message } = facts(error)
  if (isJson) tellJson(code, message)
  else process.stderr.write(`mneme: ${harmless(message)}\n`)
  // Options of a store that make no sense, or a domain that does not, or a store that is not there.
  const isUsage =
    error instanceof DefinitionError ||
    code === 'STORE_NOT_MIGRATED' ||
    (error instanceof ToolsError && error.kind === 'usage')
  return isUsage ? exitCodes.usage : exitCodes.failed
}

const tellJson = (code: string, message: string): void => {
  process.stderr.write(`${jsonLine({ error: { code, message } })}\n`)
}

/** The code of an error, and its message. Only an error that nobody expected shows where it was thrown. */
function facts(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof ToolsError || error instanceof MnemeError) return error
  if (!(error instanceof Error)) return { code: 'UNEXPECTED', message: wordsOf(error) }
  const { code, syscall, message, stack = message } = error as NodeJS.ErrnoException
  // A file or a pipe of the user's, such as one that is full or may not be written.
  return code !== undefined && syscall !== undefined ? { code, message } : { code: 'UNEXPECTED', message: stack }
}
