/** The members of a cluster, as the store knows them. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { ClusterInfo } from '../src/studio/views.ts'
import { api } from './api.ts'
import { Failure, Time } from './parts.tsx'

const everyMs = 2000

export function ClusterScreen() {
  const found = useSignal<ClusterInfo | null | undefined>(undefined)
  const failure = useSignal<string | undefined>(undefined)
  useEffect(() => {
    const read = () =>
      api.cluster().then(
        ({ cluster }) => {
          found.value = cluster
          failure.value = undefined
        },
        (error: Error) => {
          failure.value = error.message
        },
      )
    void read()
    const timer = setInterval(read, everyMs)
    return () => clearInterval(timer)
  }, [])
  return (
    <section>
      <h2>Cluster</h2>
      {failure.value !== undefined && <Failure message={failure.value} />}
      {found.value === null && <p class="empty">No process has joined a cluster on this store.</p>}
      {found.value && <Members cluster={found.value} />}
      <p class="faint">
        Only a member itself knows its live aggregates, the commands it forwarded and its longest pause: ask{' '}
        <code>cluster.status()</code> there, or its metrics.
      </p>
    </section>
  )
}

function Members({ cluster }: { readonly cluster: ClusterInfo }) {
  const { epoch, members, shardsTakenOver } = cluster
  return (
    <>
      <p>
        {members.length} {members.length === 1 ? 'member' : 'members'} in epoch {epoch}
        {shardsTakenOver > 0 && `, ${shardsTakenOver} shards taken over`}
      </p>
      <ul class="plain cards">
        {members.map(({ id, address, joinedAt, isLeaving, shards, follows }) => (
          <li key={id} class="panel">
            <h3>
              {address} {isLeaving && <span class="faint">is leaving</span>}
            </h3>
            <dl class="facts">
              <dt>id</dt>
              <dd>{id}</dd>
              <dt>joined</dt>
              <dd>
                <Time at={joinedAt} />
              </dd>
              {Object.entries(shards).map(([aggregate, count]) => (
                <Shards key={aggregate} aggregate={aggregate} count={count} />
              ))}
              <dt>should run</dt>
              <dd>{follows.join(', ') || '-'}</dd>
            </dl>
          </li>
        ))}
      </ul>
    </>
  )
}

function Shards({ aggregate, count }: { readonly aggregate: string; readonly count: number }) {
  return (
    <>
      <dt>{aggregate}</dt>
      <dd>
        {count} of 256 shards <progress max={256} value={count} aria-label={`${count} of 256`} />
      </dd>
    </>
  )
}
