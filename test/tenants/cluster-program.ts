/** A member that serves many tenants under load, and says each command that was acknowledged. */
import { setTimeout } from 'node:timers/promises'
import { cluster } from '../../src/cluster/index.ts'
import { tenants } from '../../src/index.ts'
import { listen, say } from '../../src/testing/crash/told-program.ts'
import { Random } from '../../src/testing/random.ts'
import { secret } from '../support/cluster/vaults.ts'
import type { Place } from '../support/crash/writer-protocol.ts'
import { Pots } from './pots.ts'
import { storeOf } from './store-of.ts'

/** What the program is told. `rest`: no further calls, but one more scheduled command for each tenant. */
export type ToMember =
  | { readonly tell: 'begin'; readonly place: Place; readonly tenants: readonly string[]; readonly seed: number }
  | { readonly tell: 'rest' }

/** What it says. */
export type FromMember =
  | { readonly say: 'acknowledged'; readonly tenant: string; readonly commandId: string }
  | { readonly say: 'failed'; readonly why: string }
  | { readonly say: 'serves' }
  | { readonly say: 'rests' }

const callers = 2

let isResting = false

async function run({ place, tenants: names, seed }: ToMember & { readonly tell: 'begin' }): Promise<void> {
  const random = new Random(seed)
  const banks = tenants(Pots, {
    start: (name) => ({ store: storeOf(place, name), leaseMs: 1500, pollIntervalMs: 200 }),
    catalog: storeOf(place, 'catalog'),
    // A busy machine may keep members from answering for long.
    cluster: cluster({ address: '127.0.0.1:0', secret, leaseMs: 2000, routeTimeoutMs: 120_000 }),
    openMax: names.length - 1,
    idleMs: 300,
    waitMs: 120_000,
    log: { warn() {} },
  })
  await banks.cluster.join()
  say({ say: 'serves' } satisfies FromMember)
  let sent = 0
  const tell = async (tenant: string, name: 'put' | 'ask', amount: number) => {
    const commandId = `${seed}-${++sent}`
    const pot = banks.get(tenant).pot(random.pick(['a', 'b']))
    await (name === 'put' ? pot.put({ amount }, { commandId }) : pot.ask({ afterMs: amount }, { commandId }))
    say({ say: 'acknowledged', tenant, commandId } satisfies FromMember)
  }
  const call = async () => {
    while (!isResting) {
      const tenant = random.pick(names)
      if (random.chance(0.05)) await tell(tenant, 'ask', random.int(0, 2000))
      else await tell(tenant, 'put', 1)
      // The other members need the processor too.
      await setTimeout(20)
    }
  }
  await Promise.all(Array.from({ length: callers }, call))
  // Long enough for all tenants to be stopped before.
  for (const tenant of names) await tell(tenant, 'ask', 2000)
  say({ say: 'rests' } satisfies FromMember)
}

listen((message: ToMember) => {
  if (message.tell === 'rest') isResting = true
  else run(message).catch((error) => say({ say: 'failed', why: String(error?.stack) } satisfies FromMember))
})
