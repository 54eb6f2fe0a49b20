/**
 * Members are replaced one after the other under load: no call fails, every answer is true, and no vault waits long.
 * How long is asserted in a time that the test controls, in which only calls to the store and words between members
 * take time. Between real processes it is reported.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ClusterNode } from '../../src/cluster/node.ts'
import type { Link, LinkEvents, Transport } from '../../src/cluster/transport.ts'
import { memory } from '../../src/index.ts'
import { faultyStore } from '../../src/testing/faulty-store.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { Callers } from '../support/cluster/callers.ts'
import { LocalNetwork } from '../support/cluster/local-network.ts'
import { MemberProcess } from '../support/cluster/members.ts'
import { checkTold } from '../support/cluster/told-check.ts'
import { epochsOf, type Member, Vaults } from '../support/cluster/vaults.ts'
import { storeAt } from '../support/crash/place.ts'
import { withSeed } from '../support/seed.ts'
import { leftOut } from '../support/size.ts'

const storeMs = 5
const linkMs = 1
/** What no vault may wait longer, in milliseconds of the test's time. */
const pauseMsMax = 100

/** Members whose store and links take a while, in a time that goes on while something waits for it. */
function slowCluster() {
  const environment = manualEnvironment()
  const after = (delayMs: number) => new Promise<void>((resolve) => environment.after(delayMs, resolve))
  const store = faultyStore(memory(), () => after(storeMs))
  const network = new LocalNetwork()
  const late = (link: Link): Link => ({
    send: (text) => void environment.after(linkMs, () => link.send(text)),
    close: () => link.close(),
  })
  const transport = (): Transport => {
    const { listen, connect, close } = network.transport()
    return {
      listen: (accept) => listen((link) => accept(late(link))),
      async connect(address: string, events: LinkEvents, timeoutMs: number) {
        await after(2 * linkMs)
        return late(await connect(address, events, timeoutMs))
      },
      close,
    }
  }
  const options = { secretProof: 'none', leaseMs: 3000, routeTimeoutMs: 60_000 }
  const start = () =>
    Vaults.start({
      store,
      environment,
      log: { warn() {} },
      cluster: { node: (parts) => new ClusterNode({ ...parts, ...options, transport: transport() }) },
    })
  /** Lets the time go on until something is done. */
  const during = async <Result>(something: Promise<Result>): Promise<Result> => {
    let isOver = false
    const over = () => {
      isOver = true
    }
    something.then(over, over)
    while (!isOver) await environment.advance(1)
    return something
  }
  return { environment, after, start, during }
}

const vaults = Array.from({ length: 60 }, (_, i) => `vault ${i}`)

test('No vault waits long while all members are replaced in turn, and every call is answered', async () => {
  const { environment, after, start, during } = slowCluster()
  const put = new Map(vaults.map((id) => [id, 0]))
  let members: readonly Member[] = []
  let longestMs = 0
  let isOver = false
  const any = <Thing>(things: readonly Thing[]): Thing => things[Math.floor(environment.random() * things.length)]!
  const call = async () => {
    while (!isOver) {
      const id = any(vaults)
      const begunAt = environment.elapsed()
      await any(members).vault(id).put({ amount: 1 })
      put.set(id, put.get(id)! + 1)
      longestMs = Math.max(longestMs, environment.elapsed() - begunAt)
    }
  }
  const agreed = async (count: number) => {
    const isAgreed = ({ cluster }: Member) => {
      const { members: known } = cluster.status()
      return known.length === count && known.every(({ isHeard }) => isHeard)
    }
    while (!members.every(isAgreed)) await after(5)
  }
  await during(
    (async () => {
      members = [await start(), await start(), await start()]
      await agreed(3)
      const calls = Promise.all(Array.from({ length: 12 }, call))
      await after(500)
      longestMs = 0
      for (let i = 0; i < 3; i++) {
        members = [...members, await start()]
        await agreed(4)
        await after(100)
        const [leaving, ...others] = members
        members = others
        await Promise.race([leaving!.stop(), calls])
        await after(100)
      }
      isOver = true
      await calls
    })(),
  )
  assert.ok(longestMs <= pauseMsMax, `a vault waited for ${longestMs} ms`)
  const [reader] = members
  for (const id of vaults) {
    const { amount } = await during(reader!.vault(id).state())
    assert.equal(amount, put.get(id), id)
    const epochs = await during(epochsOf(reader!, id))
    assert.deepEqual(
      epochs,
      epochs.toSorted((a, b) => a - b),
    )
  }
  await during(Promise.all(members.map((member) => member.stop())))
})

test('All members in processes of their own are replaced in turn under load', { skip: leftOut }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-cluster-'))
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
  const place = { store: 'sqlite', path: join(directory, 'log.db') } as const
  await withSeed(async (random) => {
    const start = () => new MemberProcess(t).start(place)
    const members = [await start(), await start()]
    const callers = new Callers(() => members, { vaults: 20, random: () => random.next() })
    t.after(() => callers.end())
    const running = callers.run(8, 2)
    running.catch(() => {})
    const waits: string[] = []
    for (let i = 0; i < 2; i++) {
      await callers.goOn(100)
      callers.takeLongestWait(new Set())
      members.push(await start())
      await callers.goOn(100)
      const joining = callers.takeLongestWait(new Set())
      await members.shift()!.stop()
      await callers.goOn(100)
      waits.push(`${Math.round(joining)} ms, ${Math.round(callers.takeLongestWait(new Set()))} ms`)
    }
    callers.end()
    await running
    await Promise.all(members.map((member) => member.stop()))
    await checkTold(storeAt(place), callers)
    t.diagnostic(`the longest wait while a member joins, and while one leaves: ${waits.join('; ')}`)
  })
})
