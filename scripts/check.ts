/**
 * Everything that must hold before a change is accepted, one step after the other. A step that fails does not keep the
 * others from running, so one run shows all that is wrong. The steps are the scripts of package.json. With `CI=true`
 * the other versions of Node have their turn too.
 */
import { spawnSync } from 'node:child_process'

const isCI = process.env['CI'] === 'true'
const steps = ['lint', 'types', 'tidy', 'dead', 'package', ...(isCI ? ['node-versions'] : []), 'test']

const failed = steps.filter((step) => {
  const startedAt = performance.now()
  process.stdout.write(`\n== ${step}\n`)
  const { status } = spawnSync(process.execPath, ['--run', step], { stdio: 'inherit' })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  process.stdout.write(`== ${step}: ${status === 0 ? 'good' : 'FAILED'} after ${seconds} s\n`)
  return status !== 0
})
if (failed.length > 0) {
  process.stderr.write(`\nThe check failed: ${failed.join(', ')}\n`)
  process.exitCode = 1
}
