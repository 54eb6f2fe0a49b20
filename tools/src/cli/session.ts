/** What one run of a command has: its output, the signal that ends it, and what it looks at. */
import { addAbortSignal } from 'node:stream'
import { type Command, Option } from 'commander'
import type { Store } from '../../../src/index.ts'
import { loadTarget, type TargetOptions } from '../config/load-target.ts'
import { storeForms } from '../config/named-store.ts'
import { type Inspection, openInspection } from '../inspection/index.ts'
import { patientStore } from '../log/patient-store.ts'
import { Output } from './output.ts'

/** The options that every command has. */
export interface CommonOptions extends TargetOptions {
  readonly json?: boolean
}

export interface Session {
  readonly output: Output
  /** Is aborted by an interrupt, and when nobody reads the results any more. */
  readonly signal: AbortSignal
  /** The folder in which the program was started. */
  readonly cwd: string
}

/** A session with an open store. */
export interface StoreSession extends Session {
  readonly inspection: Inspection
}

/** What the program gives to each command. */
export interface Runtime {
  readonly controller: AbortController
  readonly cwd: string
  /** The exit code of a command that has done its work. A command may set another one than 0. */
  exitCode: number
  /** What somebody is told who interrupts the command. Nothing by default. */
  ifInterrupted?: string
}

/** Adds the options that every command has. */
export function withCommonOptions(command: Command): Command {
  return command
    .addOption(new Option('--store <store>', `the store: ${storeForms.replaceAll('\n', ' ')}`))
    .addOption(new Option('--domain <module>', 'the module that exports the domain: bank.ts, or bank.ts#Bank'))
    .addOption(new Option('--config <file>', 'the configuration, if it is not the nearest mneme.config.ts'))
    .addOption(new Option('--json', 'print JSON, one value a line'))
}

export const sessionOf = ({ controller, cwd }: Runtime, { json = false }: CommonOptions): Session => ({
  output: new Output(json, controller),
  signal: controller.signal,
  cwd,
})

/** The store for long work: a read that fails for a reason that may pass is tried again, and that is told. */
export const patientStoreOf = ({ inspection, output, signal }: StoreSession): Store =>
  patientStore(inspection.store, {
    signal,
    onFailure: (error) => output.note(`A read is tried again: ${error.message}`),
  })

/** The standard input. An interrupt ends the wait for it. */
export const standardInput = ({ signal }: Pick<Session, 'signal'>): NodeJS.ReadStream =>
  addAbortSignal(signal, process.stdin)

/** Opens the store for a command, and closes it afterwards, however the command ends. */
export async function withStore<Result>(
  session: Session,
  options: CommonOptions,
  work: (session: StoreSession) => Promise<Result>,
  { mayCreate = false }: { readonly mayCreate?: boolean } = {},
): Promise<Result> {
  const { output, cwd } = session
  const target = await loadTarget(options, { mayCreate, cwd })
  // How durable a store is concerns those who store, and not everybody who looks.
  const isSaid = (message: string) => mayCreate || !message.includes('[DURABILITY_WEAKENED')
  const warn = (message: string) => void (isSaid(message) && output.note(message))
  const inspection = await openInspection({ ...target, log: { warn } })
  try {
    return await work({ ...session, inspection })
  } finally {
    await inspection.close()
  }
}
