/** The program of a member that a test runs in a process of its own, and what it is told and says. */
import { cluster } from '../../../src/cluster/index.ts'
import { MnemeError } from '../../../src/index.ts'
import { listen, say as sayAnything } from '../../../src/testing/crash/told-program.ts'
import { storeAt } from '../crash/place.ts'
import type { Place } from '../crash/writer-protocol.ts'
import { type Member, secret, Vaults } from './vaults.ts'

/** What a member is told. */
export type ToMember =
  | { readonly tell: 'start'; readonly place: Place }
  | {
      readonly tell: 'send'
      readonly id: string
      readonly name: 'put' | 'take'
      readonly amount: number
      readonly commandId: string
    }
  | { readonly tell: 'stop' }

/** What a member says. */
export type FromMember =
  | { readonly say: 'started' }
  | {
      readonly say: 'answer'
      readonly commandId: string
      readonly answer: 'yes' | 'no' | 'nothing' | 'error'
      readonly why?: string
      /** How long the caller waited, in milliseconds. */
      readonly tookMs: number
    }
  | { readonly say: 'stopped' }

const say = (message: FromMember): void => sayAnything(message)

let member: Member | undefined

async function send({ id, name, amount, commandId }: ToMember & { readonly tell: 'send' }): Promise<void> {
  const sentAt = performance.now()
  const told = (answer: 'yes' | 'no' | 'nothing' | 'error', why?: string) =>
    say({ say: 'answer', commandId, answer, tookMs: performance.now() - sentAt, ...(why !== undefined && { why }) })
  try {
    const command = { aggregate: 'vault', id, name, data: { amount }, commandId } as const
    const outcome = await member!.try.dispatch(command)
    told(!outcome.accepted ? 'no' : outcome.events.length > 0 ? 'yes' : 'nothing')
  } catch (error) {
    told('error', error instanceof MnemeError ? `${error.code} ${error.message} ${error.cause}` : String(error))
  }
}

listen((message: ToMember) => {
  if (message.tell === 'send') void send(message)
  else if (message.tell === 'start') {
    const options = { cluster: cluster({ address: '127.0.0.1:0', secret }), log: { warn() {} } }
    void Vaults.start({ store: storeAt(message.place), ...options }).then((started) => {
      member = started
      say({ say: 'started' })
    })
  } else {
    void member!.stop().then(() => {
      say({ say: 'stopped' })
      process.exit(0)
    })
  }
})
