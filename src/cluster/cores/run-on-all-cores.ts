/**
 * Runs a domain on all cores of one machine: a process for each, which form a cluster. The program starts itself again
 * for each process, as with `node:cluster`, so all of them can listen at one port. The first process decides nothing.
 * It replaces processes that end.
 */
import cluster from 'node:cluster'
import { DefinitionError } from '../../domain/error.ts'
import { runCore } from './core.ts'
import { type CoresOptions, type StartedWith, type Stoppable, settleCores } from './options.ts'
import { Supervisor } from './supervisor.ts'
import { markOfCore } from './words.ts'

/**
 * Runs a domain in one process for each core of this machine, on one store. Call it in the main program, and do nothing
 * before it that only one process may do: each process runs the program from its beginning.
 *
 *     await runOnAllCores(Bank, {
 *       store: sqlite('bank.db'),
 *       async run(bank, { stopping }) {
 *         const server = createServer(answer(bank)).listen(8080) // all processes share the port
 *         await stopping
 *         server.close()
 *       },
 *     })
 *
 * A process that ends is replaced. SIGTERM and SIGINT stop all processes, one after the other. It resolves when all
 * have stopped.
 *
 * @throws DefinitionError `OPTION_INVALID`, `DEFINITION_INVALID`; ClusterError `PROCESS_NOT_STARTED`,
 * `PROCESSES_FAILING`
 */
export async function runOnAllCores<Options extends StartedWith, Bank extends Stoppable>(
  domain: { start(options?: Options): Promise<Bank> },
  options: CoresOptions<Options, Bank>,
): Promise<void> {
  const settled = settleCores(options)
  if (process.env[markOfCore] !== undefined) {
    // Programs that this process starts are none of them.
    delete process.env[markOfCore]
    const startable = domain as { start(options: StartedWith): Promise<Bank> }
    return runCore(startable, settled)
  }
  if (!cluster.isPrimary) refuse('node:cluster has started this process, for instance by `pm2 -i`. Start it once')
  if (Object.keys(cluster.workers ?? {}).length > 0) refuse('this program has started other processes already')
  await new Supervisor(settled).run()
}

/** @throws DefinitionError `DEFINITION_INVALID` */
function refuse(reason: string): never {
  throw new DefinitionError('DEFINITION_INVALID', { where: 'runOnAllCores', reason })
}
