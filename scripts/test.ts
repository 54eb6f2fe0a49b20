/**
 * Runs tests: all of them, or those in the files that the arguments name. Each file has a process of its own.
 *
 *     npm test
 *     npm test -- src/store/page.test.ts 'src/kernel/**' --name='a conflict'
 *
 * Fails if a test fails, or if there is none.
 */
import { availableParallelism } from 'node:os'
import { run } from 'node:test'
import { parseArgs } from 'node:util'
import { report } from './test-report.ts'

/** A file that takes longer hangs. */
const fileTimeoutMs = 1_200_000
const everywhere = ['{src,test,scripts,examples,bench}/**/*.test.ts']

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { name: { type: 'string', multiple: true, default: [] } },
})
const globPatterns = (positionals.length > 0 ? positionals : everywhere).map((given) =>
  given.endsWith('.ts') ? given : `${given.replace(/\/?(\*\*\/?)?$/, '')}/**/*.test.ts`,
)

const events = run({
  globPatterns,
  concurrency: availableParallelism(),
  timeout: fileTimeoutMs,
  testNamePatterns: values.name.map((name) => new RegExp(name)),
})
let ran = 0
events.on('test:fail', () => {
  process.exitCode = 1
})
events.on('test:summary', ({ file, counts }) => {
  if (file === undefined) ran = counts.tests
})
for await (const text of report(events)) process.stdout.write(text)
if (ran === 0) {
  process.stderr.write('No test was found.\n')
  process.exitCode = 1
}
