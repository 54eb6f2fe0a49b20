/**
 * One of the processes that `runOnAllCores` starts. It runs the domain as a member of the cluster until the supervisor
 * says that it should stop, or is gone. Signals from the terminal or the system reach all processes at once; here they
 * are left to the supervisor, so that the processes stop one after the other.
 */
import nodeCluster from 'node:cluster'
import { hasCode } from '../../domain/error.ts'
import { wordsOf } from '../../domain/error-words.ts'
import { cluster } from '../cluster.ts'
import type { SettledCores, StartedWith, Stoppable } from './options.ts'
import { aborted, within } from './waiting.ts'
import type { FromCore, ToCore } from './words.ts'

/** How often a start is tried again while members of an earlier run are still in the store, and the pause. */
const startsMax = 40
const startAgainMs = 250

/** Where members of one machine listen. */
const thisMachine = '127.0.0.1:0'

interface Startable<Bank> {
  start(options: StartedWith): Promise<Bank>
}

/** Runs one process. It never returns: the process ends. */
export async function runCore<Bank extends Stoppable>(
  domain: Startable<Bank>,
  options: SettledCores<unknown, Bank>,
): Promise<never> {
  const controller = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => {})
  // Otherwise Node would end the process at once when the supervisor is gone.
  nodeCluster.worker!.exitedAfterDisconnect = true
  process.once('disconnect', () => controller.abort())
  try {
    const { number, secret } = await told(controller)
    const bank = await startPatiently(domain, options, secret, controller.signal)
    await say({ say: 'started' })
    const { signal } = controller
    const stopping = aborted(signal)
    const run = async () => signal.aborted || options.run(bank, { number, stopping, signal })
    const running = run()
    try {
      await Promise.race([stopping, running.then(() => stopping)])
      await within(options.stopTimeoutMs, running)
    } finally {
      await bank.stop()
    }
  } catch (error) {
    const reason = wordsOf(error)
    const stack = error instanceof Error && typeof error.stack === 'string' ? error.stack : reason
    await say({ say: 'failed', reason, stack })
    process.exit(1)
  }
  process.exit(0)
}

/** Asks the supervisor which process this is. */
function told(controller: AbortController): Promise<ToCore & { readonly tell: 'start' }> {
  return new Promise((resolve) => {
    process.on('message', (message: ToCore) => {
      if (message.tell === 'start') resolve(message)
      else controller.abort()
    })
    void say({ say: 'ready' })
  })
}

/**
 * Starts the domain. Processes of an earlier run, which had another secret, may still be in the store: they end soon,
 * or their leases do.
 */
async function startPatiently<Bank>(
  domain: Startable<Bank>,
  options: SettledCores<unknown, Bank>,
  secret: string,
  signal: AbortSignal,
): Promise<Bank> {
  const { store, log, start } = options
  const member = options.cluster ?? { address: thisMachine, secret }
  for (let tries = 1; ; tries++) {
    try {
      return await domain.start({ ...start, store, log, cluster: cluster(member) })
    } catch (error) {
      const mayPass = hasCode(error, 'SECRET_DIFFERS') && options.cluster === undefined
      if (!mayPass || tries === startsMax || signal.aborted) throw error
      await within(startAgainMs, aborted(signal))
    }
  }
}

/** Says something, and waits until it has gone out. */
function say(message: FromCore): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected) resolve()
    else process.send!(message, undefined, {}, () => resolve())
  })
}
