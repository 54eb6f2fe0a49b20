import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Environment } from '../runtime/environment.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'
import { Channel } from './channel.ts'
import { Peer } from './peer.ts'
import { PeerLost } from './peer-lost.ts'
import { silentMs } from './silence.ts'
import { LinkError, type LinkEvents, type Transport } from './transport.ts'
import { fromSender, type Message, type SentCommand } from './wire.ts'

const ids = { commandId: 'c', idBy: 'caller' } as const
const command: SentCommand = { stream: { aggregate: 'a', id: '1' }, name: 'n', ...ids }

/** A peer for the member `other`, and what is heard at its address, where a process with the id `listening` answers. */
function talk(listening: string) {
  const manual = manualEnvironment()
  const stood = { stillMs: 0 }
  const environment = Object.create(manual, {
    elapsed: { value: () => manual.elapsed() + stood.stillMs },
  }) as typeof manual
  const heard: Message[] = []
  const line = { isCut: false, beforeConnected: async () => {} }
  const transport: Transport = {
    async connect(_, events: LinkEvents) {
      await line.beforeConnected()
      const there = new Channel({
        environment,
        epoch: () => 1,
        from: listening,
        send: (text) => {
          if (!line.isCut) events.onText(text)
        },
        next: () => undefined,
      })
      queueMicrotask(() => there.speak())
      return {
        send(text) {
          if (line.isCut) return
          heard.push(...there.hear(text).messages.map(fromSender))
          there.speak()
        },
        close() {},
      }
    },
    listen: async () => 'here:1',
    close: async () => {},
  }
  const peer = new Peer({
    ...{ id: 'other', address: 'there:1', transport, environment },
    epoch: () => 1,
    onEpoch() {},
  })
  return { environment, peer, heard, line, stood }
}

const send = (peer: Peer, signal?: AbortSignal) =>
  new Promise<unknown>((answered, lost) => peer.send(command, { signal, answered, lost }))

const lost = (kind: PeerLost['kind'], wasSent: boolean) => (error: unknown) =>
  error instanceof PeerLost && error.kind === kind && (error.heardAt !== undefined) === wasSent

describe('The way to another member', () => {
  test('ends at once if another process listens at its address', async () => {
    const { peer, heard } = talk('a later one')
    await assert.rejects(send(peer), lost('refused', false))
    assert.deepEqual(heard, [])
    peer.close()
  })

  test('is waited for once while it is silent, and by nobody after that until it is heard', async () => {
    const { environment, peer, heard, line } = talk('other')
    const first = assert.rejects(send(peer), lost('silent', true))
    await environment.advance(1)
    assert.equal(heard.length, 1)
    line.isCut = true
    await environment.advance(silentMs * 2)
    await first
    await assert.rejects(send(peer), lost('silent', false))
    line.isCut = false
    await environment.advance(silentMs * 2)
    peer.open()
    await environment.advance(silentMs)
    void send(peer).catch(() => {})
    await environment.advance(1)
    assert.equal(heard.length, 2)
    peer.close()
  })

  test('is silent if it cannot be reached for long', async () => {
    const { environment, peer, line } = talk('other')
    let tries = 0
    line.beforeConnected = async () => {
      tries++
      throw new LinkError('failed', 'It did not answer in time')
    }
    const sent = assert.rejects(send(peer), lost('silent', false))
    await environment.advance(silentMs / 2)
    assert.ok(tries > 1)
    await environment.advance(silentMs)
    await sent
    peer.close()
    assert.equal(environment.timers, 0)
  })

  test('is not silent if it could not be reached because this process stood still', async () => {
    const { environment, peer, heard, line, stood } = talk('other')
    line.beforeConnected = async () => {
      line.beforeConnected = async () => {}
      stood.stillMs += silentMs * 3
      throw new LinkError('failed', 'It did not answer in time')
    }
    const sent = assert.rejects(send(peer), lost('closed', true))
    await environment.advance(silentMs / 2)
    assert.equal(heard.length, 1)
    peer.close()
    await sent
  })

  test('is not waited for any longer soon after the caller has aborted its command', async () => {
    const { environment, peer, heard, line } = talk('other')
    const caller = new AbortController()
    const sent = assert.rejects(send(peer, caller.signal), lost('closed', true))
    await environment.advance(1)
    line.isCut = true
    caller.abort()
    await environment.advance(silentMs / 3)
    await sent
    assert.equal(heard.length, 1)
    peer.close()
    assert.equal(environment.timers, 0)
  })

  test('leaves no timer behind when it is closed, whatever it waits for', async () => {
    const aborted = talk('other')
    const caller = new AbortController()
    const sent = assert.rejects(send(aborted.peer, caller.signal), lost('closed', true))
    await aborted.environment.advance(1)
    aborted.line.isCut = true
    caller.abort()
    aborted.peer.close()
    await sent
    assert.equal(aborted.environment.timers, 0, 'an aborted command')

    const unheard = talk('other')
    unheard.line.isCut = true
    unheard.peer.open()
    await unheard.environment.advance(1)
    unheard.peer.close()
    await unheard.environment.advance(0)
    assert.equal(unheard.environment.timers, 0, 'a link without a word')

    const failing = talk('other')
    let tries = 0
    failing.line.beforeConnected = async () => {
      tries++
      throw new LinkError('failed', 'It did not answer in time')
    }
    failing.peer.open()
    await failing.environment.advance(1)
    failing.peer.close()
    await failing.environment.advance(silentMs)
    assert.equal(failing.environment.timers, 0, 'a link that could not be opened')
    assert.equal(tries, 1)
  })

  test('keeps the process alive while a command that was sent over a broken link waits for the next one', async () => {
    const environment = manualEnvironment()
    let foreground = 0
    const after: Environment['after'] = (delayMs, callback, { background } = { background: false }) => {
      if (!background) foreground++
      let isOver = background
      const end = () => {
        if (!isOver) foreground--
        isOver = true
      }
      const cancel = environment.after(delayMs, () => {
        end()
        callback()
      })
      return () => {
        end()
        cancel()
      }
    }
    const links: LinkEvents[] = []
    const transport: Transport = {
      async connect(_, events) {
        links.push(events)
        // Only over the first link, the other side says a word.
        const there = new Channel({
          environment,
          epoch: () => 1,
          from: 'other',
          send: events.onText,
          next: () => undefined,
        })
        if (links.length === 1) queueMicrotask(() => there.speak())
        return { send() {}, close() {} }
      },
      listen: async () => 'here:1',
      close: async () => {},
    }
    const peer = new Peer({
      ...{ id: 'other', address: 'there:1', transport, environment: { ...environment, after } },
      epoch: () => 1,
      onEpoch() {},
    })
    peer.open()
    await environment.advance(1)
    assert.equal(foreground, 0)
    const sent = assert.rejects(send(peer), lost('closed', true))
    await environment.advance(1)
    assert.ok(foreground > 0)
    links[0]!.onClose()
    await environment.advance(1)
    assert.equal(links.length, 2)
    assert.ok(foreground > 0)
    peer.close()
    await sent
  })
})
