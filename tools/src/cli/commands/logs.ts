/** `mneme verify`, `mneme export` and `mneme import`: checks a whole log, and moves it from one store to another. */
import { createReadStream, existsSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { ToolsError } from '../../errors.ts'
import { understood } from '../../inspection/index.ts'
import { exportTo, exportToFile, type LogSummary } from '../../log/export-log.ts'
import { importLog } from '../../log/import-log.ts'
import type { LogFormat } from '../../log/lines.ts'
import { type VerifySummary, verifyLog } from '../../log/verify-log.ts'
import { exitCodes } from '../ending.ts'
import { counted, type Output, oneLine, plain } from '../output.ts'
import { showProgress } from '../progress.ts'
import {
  type CommonOptions,
  patientStoreOf,
  type Runtime,
  type StoreSession,
  sessionOf,
  standardInput,
  withCommonOptions,
  withStore,
} from '../session.ts'

interface ExportOptions extends CommonOptions {
  readonly out?: string
  readonly format: LogFormat
}

export function addLogs(program: Command, runtime: Runtime): void {
  withCommonOptions(program.command('verify'))
    .description('check a whole log: positions, sequences, commits, checksums, and whether the domain can read it')
    .action(async (options: CommonOptions) => {
      runtime.exitCode = await withStore(sessionOf(runtime, options), options, verify)
    })
  withCommonOptions(program.command('export'))
    .description('write a whole log as lines of JSON; one that was killed goes on where it was')
    .option('--out <file>', 'the file; without it, the lines go to the standard output')
    .addOption(
      new Option('--format <format>', 'a record a line, or a CloudEvent')
        .choices(['json', 'cloudevents'])
        .default('json'),
    )
    .action((options: ExportOptions) => {
      if (options.out !== undefined) runtime.ifInterrupted = goesOn
      return withStore(sessionOf(runtime, options), options, (session) => exportLog(session, options))
    })
  withCommonOptions(program.command('import'))
    .description('put an exported log into a store that is empty, or has the beginning of it')
    .argument('<file>', 'what export has written, in either format; - reads the standard input')
    .action((file: string, options: CommonOptions) => {
      // No store is made for a file that is not there.
      if (file !== '-' && !existsSync(file)) throw new ToolsError('USAGE', `There is no file ${file}`)
      runtime.ifInterrupted = goesOn
      const work = (session: StoreSession) => importFile(session, file)
      return withStore(sessionOf(runtime, options), options, work, { mayCreate: true })
    })
}

const goesOn = 'Interrupted. What is done stays: the same command goes on there.'

/** @returns the exit code */
async function verify(session: StoreSession): Promise<number> {
  const { output, signal } = session
  const { domain } = session.inspection
  const store = patientStoreOf(session)
  const progress = showProgress({ verb: 'checking', unit: 'events', total: await store.head(), stream: process.stderr })
  const others = new Set<string>()
  const summary = await verifyLog(store, {
    upcast: domain && ((event) => understood(domain, event) || others.add(event.stream.aggregate)),
    signal,
    onProgress: progress.at,
    async onFinding(finding) {
      progress.end()
      const place = `position ${finding.position}`
      await output.result({ finding }, `${output.style('red', finding.what)} at ${place}: ${oneLine(finding.message)}`)
    },
  }).finally(progress.end)
  await output.result({ ...summary, digest: summary.digest ?? null }, () => verifiedText(summary, output))
  if (domain === undefined) output.note('Whether a program can read the events was not checked: there is no domain.')
  if (others.size > 0) {
    const names = [...others].slice(0, 10).map(plain).join(', ')
    output.note(`Whether a program can read the events of these was not checked: the domain does not have ${names}.`)
  }
  return summary.findings === 0 ? exitCodes.done : exitCodes.failed
}

function verifiedText({ events, streams, findings, isWhole, digest }: VerifySummary, output: Output): string {
  const size = `${counted(events, 'event')} in ${counted(streams, 'stream')}`
  if (findings === 0) return `${output.style('green', 'good')}: ${size}, ${digest}`
  const more = isWhole ? '' : ', and the rest was not examined'
  return `${output.style('red', 'not good')}: ${size}, ${counted(findings, 'finding')}${more}`
}

async function exportLog(session: StoreSession, { out, format }: ExportOptions): Promise<void> {
  const { output, signal } = session
  const store = patientStoreOf(session)
  const total = await store.head()
  const progress = showProgress({ verb: 'exporting', unit: 'events', total, stream: process.stderr })
  const options = { format, signal, onProgress: progress.at }
  try {
    if (out !== undefined) {
      const summary = await exportToFile(store, out, options)
      progress.end()
      await output.result({ ...summary, file: out }, summaryText(`written to ${plain(out)}`, summary))
      return
    }
    const summary = await exportTo(store, (text) => output.write(text), options)
    progress.end()
    output.note(summaryText('written', summary), summary)
  } finally {
    progress.end()
  }
}

async function importFile(session: StoreSession, file: string): Promise<void> {
  const { output, signal } = session
  const bytes: AsyncIterable<Uint8Array> = file === '-' ? standardInput({ signal }) : createReadStream(file, { signal })
  // How much is still to come is not known.
  const progress = showProgress({ verb: 'importing', unit: 'events', total: 0, stream: process.stderr })
  try {
    const summary = await importLog(patientStoreOf(session), bytes, { signal, onProgress: progress.at })
    progress.end()
    await output.result(summary, summaryText('imported', summary))
    if (summary.goesOn) output.note('The store has more events after these.')
  } finally {
    progress.end()
  }
}

/** `1,000 events written to bank.jsonl (400 were there already), sha256:...` */
function summaryText(what: string, { events, kept, digest }: LogSummary): string {
  const before = kept > 0 ? ` (${kept.toLocaleString('en')} ${kept === 1 ? 'was' : 'were'} there already)` : ''
  return `${counted(events, 'event')} ${what}${before}, ${digest}`
}
