/**
 * A node of the cluster demo: a process that runs the bank as a member of the cluster, handles the commands that it is
 * given, and tells who owns what. A service would get its commands over HTTP; here they come from the demo.
 */
import { type ClusterStatus, cluster } from '../../src/cluster/index.ts'
import { chosenStore } from '../store-option.ts'
import { TransferBank } from '../transfer/bank.ts'

/** A command, as it would come in the body of a request. */
export interface Asked {
  /** The number of the question. */
  readonly n: number
  readonly command: {
    readonly aggregate: string
    readonly id: string
    readonly name: string
    readonly data: object
    readonly commandId: string
  }
}

export type Said =
  | { readonly say: 'status'; readonly status: ClusterStatus }
  | { readonly say: 'answer'; readonly n: number; readonly error?: string }

const say = (said: Said): void => {
  if (process.connected) process.send!(said)
}

const bank = await TransferBank.start({
  store: chosenStore('cluster.db').factory,
  cluster: cluster({ address: '127.0.0.1:0', secret: 'a service reads it from its environment' }),
  // Another node moves the money on if this one has not been heard of for so long.
  leaseMs: 1000,
  log: { warn() {} },
})

async function answer({ n, command }: Asked): Promise<void> {
  try {
    await bank.try.dispatch(bank.parseCommand(command))
    say({ say: 'answer', n })
  } catch (error) {
    say({ say: 'answer', n, error: String(error) })
  }
}

process.on('message', (asked: Asked) => void answer(asked))
const stop = () => void bank.stop().then(() => process.exit())
process.once('SIGTERM', stop)
process.once('disconnect', stop)

for await (const status of bank.cluster.changes()) say({ say: 'status', status })
