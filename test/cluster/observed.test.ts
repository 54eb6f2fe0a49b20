/** What an observer is told of commands that go to another member, and that a trace goes with them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memory, type Observation } from '../../src/index.ts'
import { settled, startMember } from '../support/cluster/vaults.ts'

test('An observer is told of each command that is sent to another member, and marks it there too', async () => {
  const store = memory()
  const told: (readonly Observation[])[] = []
  const observer = () => {
    const own: Observation[] = []
    told.push(own)
    return {
      observe: (observed: Observation) => void own.push(observed),
      mark: ({ span, to }: { readonly span: number; readonly to?: string }) => ({
        traceparent: `${told.indexOf(own)} ${span}`,
        ...(to !== undefined && { to }),
      }),
    }
  }
  const members = [await startMember(store, { observe: observer() }), await startMember(store, { observe: observer() })]
  await settled(members)
  const [here, there] = members
  const ids = Array.from({ length: 48 }, (_, i) => `vault ${i}`)
  const outcomes = await Promise.all(ids.map((id) => here!.vault(id).put({ amount: 1 })))
  const of = <Kind extends Observation['kind']>(member: number, kind: Kind) =>
    told[member]!.filter((each): each is Extract<Observation, { readonly kind: Kind }> => each.kind === kind)
  const forwards = of(0, 'forward started')
  assert.equal(forwards.length, here!.cluster.status().commandsForwarded)
  assert.ok(forwards.length > 0 && forwards.length < ids.length)
  const address = there!.cluster.status().members.find(({ id }) => id === there!.cluster.status().self)!.address
  for (const { to, command, metadata } of forwards)
    assert.deepEqual([to, command, metadata['to']], [address, 'put', to])
  assert.ok(of(0, 'forward ended').every(({ outcome, tookMs }) => outcome === 'answered' && tookMs >= 0))
  // There it is a command that goes on with the mark of its way, and has one of its own.
  const started = of(1, 'command started')
  assert.deepEqual(
    new Set(started.map(({ commandId }) => commandId)),
    new Set(forwards.map(({ commandId }) => commandId)),
  )
  const marks = outcomes.map(({ events }) => events[0]!.metadata['traceparent'])
  const wanted = [...of(0, 'command started'), ...started].map(({ metadata }) => metadata['traceparent'])
  assert.deepEqual(marks.toSorted(), wanted.toSorted())
  await Promise.all(members.map((member) => member.stop()))
})
