/**
 * Faults that are planted on purpose, one at a time. The simulator has to find each. A bug is a text of the source that
 * is replaced when the source is loaded, so nothing of it is in the library.
 *
 * Tidy: longer than 400 lines because the table is one thing.
 */

import type { Mutation } from './find-bug.ts'

export interface PlantedBug extends Mutation {
  readonly name: string
}

export const plantedBugs: readonly PlantedBug[] = [
  // -- the kernel ------------------------------------------------------------------------------------------------
  {
    name: 'a "no" is answered without a look at the end of the stream',
    file: 'kernel/actor.ts',
    find: 'else if (looks?.isNeededFor(round)) this',
    replace: 'else if (looks?.isNeededFor(round) === undefined && looks !== undefined) this',
  },
  {
    name: 'a look is believed whatever it says',
    file: 'kernel/actor.ts',
    find: 'if (end.sequence === sequence && end.checksum === checksum) {',
    replace: 'if (end.sequence >= sequence && checksum === checksum) {',
  },
  {
    name: 'an append without an answer counts as not stored',
    file: 'kernel/certainty.ts',
    find: "return error.code !== 'STORE_UNAVAILABLE'",
    replace: 'return true',
  },
  {
    name: 'after a lost answer, a refusal because of a reservation counts as proof that nothing is stored',
    file: 'kernel/append-again.ts',
    find: 'return isMet(commits[at]!.expected, refused.sequence, false)',
    replace: 'return refused.sequence < 0',
  },
  {
    name: 'a duplicate counts as stored now',
    file: 'kernel/round.ts',
    find: "if (result.status === 'stored' && !isBroken) {",
    replace: "if (result.status !== 'conflict' && !isBroken) {",
  },
  {
    name: 'a commit expects nothing of its stream',
    file: 'kernel/decide.ts',
    find: '{ expected: sequence, id: commandId,',
    replace: "{ expected: 'any' as const, id: commandId,",
  },
  {
    name: 'what was missed is loaded, but its first event is left out',
    file: 'kernel/rehydrate.ts',
    find: 'for (let i = isFirst ? 1 : 0; i < page.length; i++) {',
    replace: 'for (let i = isFirst ? 2 : 0; i < page.length; i++) {',
  },
  {
    name: 'commands that came during a round are forgotten',
    file: 'kernel/actor.ts',
    find: '    if (this.#mailbox.length > 0) this.#context.schedule(this)\n    else this.#giveTurnBack()',
    replace: '    this.#giveTurnBack()',
  },
  {
    name: 'a repeated command is answered without a look whether it is stored',
    file: 'kernel/answers.ts',
    find: 'const receipt = await answering.events.findCommit(addressee.stream, pending.commandId)',
    replace: 'const receipt = undefined as Awaited<ReturnType<typeof answering.events.findCommit>>',
  },
  {
    name: 'a snapshot says that it is one event older than its state',
    file: 'kernel/snapshotter.ts',
    find: '        sequence,\n        stateRevision',
    replace: '        sequence: sequence - 1,\n        stateRevision',
  },
  {
    name: 'a snapshot of another version of the state is believed',
    file: 'kernel/rehydrate.ts',
    find: 'const { sequence, stateRevision, fingerprint, checksum } = snapshot',
    replace: 'const { sequence, checksum } = snapshot\n    const { stateRevision, fingerprint } = type',
  },
  {
    name: 'the only writer answers with the state before the events that it is storing',
    file: 'kernel/read-state.ts',
    find: 'if (looks === undefined && actor!.idle) return loaded',
    replace: 'if (looks === undefined) return loaded',
  },
  {
    name: 'a snapshot of another log is believed',
    file: 'kernel/rehydrate.ts',
    find: 'if (isFirst && page[0]?.checksum !== known.checksum) throw',
    replace: 'if (isFirst && page[0] === undefined) throw',
  },
  {
    name: 'a repeated command is answered with its first event only',
    file: 'kernel/answers.ts',
    find: 'const recorded = events.map(',
    replace: 'const recorded = events.slice(0, 1).map(',
  },
  {
    name: 'a repeated command is answered with the state after its first event',
    file: 'kernel/answers.ts',
    find: 'if (event.sequence === commit.receipt.sequence) commit.after',
    replace: 'if (event.sequence <= commit.receipt.sequence) commit.after',
  },
  {
    name: 'an answer has the data of the first event in all events',
    file: 'kernel/accepted-events.ts',
    find: 'data: dataOf(decided, i),',
    replace: 'data: dataOf(decided, 0),',
  },
  {
    name: 'an id that is stored is taken for another command',
    file: 'kernel/answers.ts',
    find: 'if (stored === undefined || (stored.name',
    replace: 'if (stored !== null || (stored!.name',
  },
  {
    name: 'a command is decided at another sequence than it expects',
    file: 'kernel/round.ts',
    find: 'if (!isExpected) throw',
    replace: 'if (isExpected === undefined) throw',
  },
  {
    name: 'a sequence that was not expected is refused without a look',
    file: 'kernel/looks.ts',
    find: 'return hasUnexpected || (commands.length > 0 && !this.#onlyForExpectations)',
    replace: 'return !hasUnexpected && commands.length > 0',
  },
  {
    name: 'a snapshot has a checksum that no event has',
    file: 'kernel/snapshotter.ts',
    find: '        checksum,\n        fingerprint',
    replace: '        checksum: checksum ^ 1,\n        fingerprint',
  },
  // -- the read side ---------------------------------------------------------------------------------------------
  {
    name: 'a save that conflicts counts as saved',
    file: 'projection/checkpoint/checkpoint.ts',
    find: "error.code === 'CHECKPOINT_CONFLICT') return false",
    replace: "error.code === 'CHECKPOINT_CONFLICT') return true",
  },
  {
    name: 'rows are remembered over a takeover',
    file: 'projection/rows/remembered-rows.ts',
    find: '    this.#values.clear()\n  }\n\n  /** Applies',
    replace: '  }\n\n  /** Applies',
  },
  {
    name: 'a handler that runs again sends its commands with other ids',
    file: 'kernel/command-id.ts',
    find: "const number = nth === 1 ? ''",
    replace: "const number = nth > 0 ? ':' + ((globalThis as any).handled = ((globalThis as any).handled ?? 0) + 1)",
  },
  {
    name: 'a timer that was sent is not deleted',
    file: 'projection/reactions/due-commands.ts',
    find: '[...withoutTimer(next), ...rows]',
    replace: '[...withoutTimer(next).slice(1), ...rows]',
  },
  {
    name: 'timers are not read after a takeover',
    file: 'projection/reactions/timers.ts',
    find: 'this.#isAll = false\n    this.#list',
    replace: 'this.#isAll = true\n    this.#list',
  },
  {
    name: 'a timer is deleted before its command is sent',
    file: 'projection/reactions/due-commands.ts',
    find: '      const rows = await this.#send(next)\n',
    replace: '      await bookmark.keep(withoutTimer(next))\n      const rows = await this.#send(next)\n',
  },
  {
    name: 'scheduled commands are sent although another log is there',
    file: 'projection/reactions/due-commands.ts',
    find: 'if (isFirst) await checkPlace',
    replace: 'if (isFirst && next.dueAt < 0) await checkPlace',
  },
  {
    name: 'a hint that was lost is not made up for by a poll',
    file: 'projection/log/tail.ts',
    find: 'asked.has(waiting) ? examined !== end : examined < end',
    replace: 'examined > end',
  },
  {
    name: 'a subscription goes on two events after the last',
    file: 'projection/log/subscription.ts',
    find: 'const range = { from: behind.position + 1, to',
    replace: 'const range = { from: behind.position + (behind.position % 7 === 6 ? 2 : 1), to',
  },
  {
    name: 'a subscription ends where the log ends',
    file: 'projection/log/subscription.ts',
    find: 'if (page.isLast) await keepAlive(environment, follower.wait(ended, { examined }))',
    replace: 'if (page.isLast) { void keepAlive(environment, follower.wait(ended, { examined })); break }',
  },
  {
    name: 'a process that takes over does not raise the term',
    file: 'projection/checkpoint/checkpoint.ts',
    find: 'return this.#save({ ...this.#at(this.#handled), term: this.#saved.term + 1 }, rows)',
    replace: 'return this.#save({ ...this.#at(this.#handled), term: this.#saved.term }, rows)',
  },
  {
    name: 'a runner believes that nobody has overtaken it',
    file: 'projection/checkpoint/checkpoint.ts',
    find: 'return (await this.#store.loadCheckpoint(this.#name)).term === this.#saved.term',
    replace: 'return (await this.#store.loadCheckpoint(this.#name)).term >= 0',
  },
  {
    name: 'commands of reactions have no fence',
    file: 'kernel/personal/sealing-fence.ts',
    find: 'if (fence === undefined) return',
    replace: 'if (fence !== null) return',
  },
  {
    name: 'the time at which a command of a reaction was decided is not kept',
    file: 'kernel/fixed-time.ts',
    find: 'await fence(this.isMissing ? this.#wantedMs : undefined)',
    replace: 'await fence()',
  },
  {
    name: 'a reaction forgets the rejections that it was given',
    file: 'projection/reactions/reaction-rows.ts',
    find: 'return this.#answers.get(positionOfAnswer(key))?.get(key)',
    replace: "return this.#answers.get(positionOfAnswer(key))?.get(key + ' ')",
  },
  {
    name: 'a projection as code saves its position before its work',
    file: 'projection/checkpoint/bookmark.ts',
    find: '    await work(undefined)\n    return this.save(to, rows)',
    replace: '    const isSaved = await this.save(to, rows)\n    await work(undefined)\n    return isSaved',
  },
  {
    name: 'events of a projection as code do not queue behind a parked one',
    file: 'projection/code/code-steps.ts',
    find: 'waiting.has(key) || this.bookmark.parked.blocks(key)',
    replace: 'waiting.has(key)',
  },
  {
    name: 'events with a common row do not queue behind a parked one',
    file: 'projection/rows/fold-rows.ts',
    find: 'blocked.has(key) || blocks(key)',
    replace: 'blocked.has(key)',
  },
  {
    name: 'a parked event is tried again although one before it failed again',
    file: 'projection/checkpoint/retry-parked.ts',
    find: 'if (parked.holds(position)) for',
    replace: 'if (parked.holds(-position)) for',
  },
  {
    name: 'a parked event that was handled stays parked',
    file: 'projection/code/code-steps.ts',
    find: 'this.#saveWith(handle, here, [unparkedRow(position)], signal)',
    replace: 'this.#saveWith(handle, here, [unparkedRow(position)].slice(1), signal)',
  },
  {
    name: 'parked events are not read after a takeover',
    file: 'projection/stored/parked-events.ts',
    find: 'for await (const row of parkedRows(store, name, breath)) this.apply([row])',
    replace: 'for await (const row of parkedRows(store, name, breath)) this.apply([row].slice(1))',
  },
  {
    name: 'events that an older version passed over are forgotten',
    file: 'projection/checkpoint/passed-over.ts',
    find: 'if (events.length === 0) continue',
    replace: 'if (events.length >= 0) continue',
  },
  {
    name: 'a reaction waits for events of a new kind only since its own process began',
    file: 'projection/checkpoint/recognition.ts',
    find: 'return declared !== undefined && isNewFor(declared, event)',
    replace: 'return declared?.from === -1 && isNewFor(declared, event)',
  },
  {
    name: 'what a handler writes in its transaction is saved before the checkpoint',
    file: 'projection/checkpoint/bookmark.ts',
    find: 'return this.change(rows, () => this.#checkpoint.advanceWith(to, rows, work))',
    replace: `const isWritten = await this.change([], () => this.#checkpoint.advanceWith(this.here, [], work))
      return isWritten && this.save(to, rows)`,
  },
  {
    name: 'a preparation whose transaction was open for too long is not tried again',
    file: 'projection/code/code-steps.ts',
    find: 'tries < preparationTriesMax',
    replace: 'tries < 1',
  },
  {
    name: 'the key of a timer stays with the old time when its command is tried again',
    file: 'projection/stored/timer-row.ts',
    find: 'return timer.userKey === undefined ? [row] : [row, keyedRow(timer.userKey, key)]',
    replace: 'return [row]',
  },
  {
    name: 'a timer stays although its key is scheduled again',
    file: 'projection/reactions/keyed-timers.ts',
    find: 'if ((timers[i] as Timer | undefined)?.userKey === userKey) saved',
    replace: 'if (timers[i] === null) saved',
  },
  {
    name: 'a timer is not cancelled',
    file: 'projection/reactions/reaction-call.ts',
    find: '        this.timers.push(keyedRow(key, undefined))',
    replace: '        void keyedRow',
  },
  {
    name: 'a scheduled command that fails is not sent again',
    file: 'projection/reactions/due-commands.ts',
    find: 'return laterRows(timer, environment.now() + waitMs, tries + 1)',
    replace: 'return []',
  },
  {
    name: 'results of steps are not read after a takeover',
    file: 'projection/reactions/reaction-rows.ts',
    find: '      this.apply(rows)\n      await breath',
    replace: '      await breath',
  },
  {
    name: 'a state of a reaction is not stored now and then',
    file: 'projection/reactions/reaction-call.ts',
    find: 'return this.#stateChanged ? { state',
    replace: 'return this.#stateChanged && this.#event.position % 5 > 0 ? { state',
  },
  {
    name: 'an index has no new entry for a row that changes',
    file: 'projection/stored/index-entries.ts',
    find: '...(made === undefined ? [] : [{ key: made, value: key }]),',
    replace: '...(made === undefined || gone !== undefined ? [] : [{ key: made, value: key }]),',
  },
  // -- personal fields -------------------------------------------------------------------------------------------
  {
    name: 'a command is decided although somebody was forgotten since its fields were sealed',
    file: 'kernel/personal/sealing-fence.ts',
    find: 'if (value.isForgotten) return false',
    replace: '{}',
  },
  {
    name: 'a certificate is given without waiting for processes that have the key',
    file: 'kernel/personal/key-holders.ts',
    find: 'sleep(environment, waitForOthersMs, over.signal)',
    replace: 'sleep(environment, 1, over.signal)',
  },
  {
    name: 'a process that uses keys does not say so',
    file: 'kernel/personal/key-holders.ts',
    find: 'if (store.singleWriter || (own',
    replace: 'if (store.singleWriter || own === undefined || (own',
  },
  {
    name: 'a process says that one more of the destroyed keys is gone',
    file: 'kernel/personal/key-holders.ts',
    find: 'holderAsRow(this.#row, { destroyed })',
    replace: 'holderAsRow(this.#row, { destroyed: destroyed + 1 })',
  },
  {
    name: 'keys are used as long as they are in memory',
    file: 'kernel/personal/key-ring.ts',
    find: 'return this.#options.environment.elapsed() - this.#confirmedAt <= keyAgeMaxMs',
    replace: 'return this.#confirmedAt > 0',
  },
  {
    name: 'a key that was destroyed elsewhere is looked for only once',
    file: 'kernel/personal/key-ring.ts',
    find: 'if (count > this.#destroyed) {',
    replace: 'if (count > this.#destroyed && this.#destroyed === 0) {',
  },
  {
    name: 'a key that is destroyed again is not named in the certificate',
    file: 'kernel/personal/key-rows.ts',
    find: 'value: { format, keys: destroyed.map((each) => ({ ...each })) }',
    replace: 'value: { format, keys: destroyed.slice(-1).map((each) => ({ ...each })) }',
  },
  // -- the cluster -----------------------------------------------------------------------------------------------
  {
    name: 'a state that the last owner has handed over is believed to be the newest',
    file: 'kernel/handed-state.ts',
    find: 'if (sequence === known.sequence && checksum === known.checksum) return known',
    replace: 'if (sequence >= known.sequence) return { ...known, sequence, checksum: checksum! }',
  },
  {
    name: 'a command has another id when its owner was lost',
    file: 'cluster/router.ts',
    find: 'const sent = wasSent ? ({ ...command, isRepeated: true } as const) : command',
    replace: 'const sent = { ...command, ...(wasSent && { commandId: this.#options.environment.newCommandId() }) }',
  },
  {
    name: 'a process decides what it has loaded without asking whether it still owns the stream',
    file: 'kernel/handed-state.ts',
    find: 'return ownership === undefined || tryUpTo',
    replace: 'return ownership !== undefined || tryUpTo',
  },
  {
    name: 'a singleton begins with a lease that is over',
    file: 'projection/running/singleton.ts',
    find: 'leads && !this.#isEnding && ',
    replace: 'leads && ',
  },
  {
    name: 'a member keeps a projection that another one should run',
    file: 'projection/running/yielding.ts',
    find: 'else if (better !== this.#better) this.#offer(now, pauseFirst)',
    replace: 'else if (better !== this.#better) this.#better = better',
  },
  {
    name: 'a projection is offered only once to the member that should run it',
    file: 'projection/running/yielding.ts',
    find: 'this.#againAt = this.#until + pause * offerMs',
    replace: 'this.#againAt = Number.POSITIVE_INFINITY',
  },
  {
    name: 'an owner is not told that the command was sent to another one before',
    file: 'cluster/router.ts',
    find: 'const sent = wasSent ? ({ ...command, isRepeated: true } as const) : command',
    replace: 'const sent = command',
  },
  {
    name: 'a process decides a command that it had sent to a lost owner as if it had not',
    file: 'cluster/router.ts',
    find: 'ownId: commandId, isRepeated: wasSent',
    replace: 'ownId: commandId, isRepeated: false',
  },
  {
    name: 'what a lost owner was sent counts as not sent',
    file: 'cluster/peer.ts',
    find: 'new PeerLost(kind, wasSent ? heardAt : undefined, { cause })',
    replace: 'new PeerLost(kind, undefined, { cause })',
  },
  {
    name: 'a command that its caller gives up counts as not sent to its owner',
    file: 'cluster/peer.ts',
    find: "new PeerLost('closed', waiting.wasSent ? this.#silence.heardAt : undefined)",
    replace: "new PeerLost('closed', undefined)",
  },
  // -- callers that give up, and what is left behind ---------------------------------------------------------------
  {
    name: 'a command that its caller gives up counts as not stored while its commit is with the store',
    file: 'kernel/pending-command.ts',
    find: 'return this.#isSent || this.command.isRepeated',
    replace: 'return this.command.isRepeated',
  },
  {
    name: 'an answered command listens to its signal',
    file: 'kernel/pending-command.ts',
    find: '    this.#isAnswered = true\n    this.#unlisten?.()',
    replace: '    this.#isAnswered = true',
  },
  {
    name: 'a command that its owner has answered listens to its signal',
    file: 'cluster/peer.ts',
    find: "      signal.removeEventListener('abort', cancel)\n",
    replace: '',
  },
  {
    name: 'a process that has stopped listens to its store',
    file: 'projection/log/tail.ts',
    find: '    this.#unlisten()\n',
    replace: '',
  },
  {
    name: 'a process that has stopped looks for idle aggregates',
    file: 'kernel/kernel.ts',
    find: '    this.#passivation.stop()\n',
    replace: '',
  },
  {
    name: 'an instance that is busy when it would leave memory stays there for ever',
    file: 'kernel/passivation.ts',
    find: 'else this.touch(instance, nowMs)\n        instance = newer',
    replace: 'else this.#unlink(instance, order)\n        instance = newer',
  },
  {
    name: 'a process takes more commands than its limit',
    file: 'kernel/kernel.ts',
    find: 'if (this.#commandsInFlight >= sizeMax)',
    replace: 'if (this.#commandsInFlight > sizeMax + 1)',
  },
  {
    name: 'more commands than the limit wait for one aggregate',
    file: 'kernel/kernel.ts',
    find: 'if (actor && actor.waiting >= sizeMax)',
    replace: 'if (actor && actor.waiting > sizeMax)',
  },
  {
    name: 'a command that is refused because of a limit is decided all the same',
    file: 'kernel/kernel.ts',
    find: '    actor.post(pending)\n',
    replace: `
      actor.post(pending)
      const { mailboxMax: sizeMax } = this.#limits
      if (live !== undefined && sizeMax > 1 && actor.waiting === sizeMax) {
        this.#schedule(actor)
        outcome.catch(() => {})
        throw new OverloadError('OVERLOADED', { queue: 'mailboxMax', sizeMax })
      }
    `,
  },
  // -- the store -------------------------------------------------------------------------------------------------
  {
    name: 'the store does not look what a commit expects',
    file: 'store/memory/memory-store.ts',
    find: 'isMet(commit.expected, sequence, stream !== undefined && broken.has(stream))',
    replace: 'isMet(commit.expected, sequence, false) !== undefined',
  },
  {
    name: 'the store stores a commit again that it has',
    file: 'store/memory/memory-store.ts',
    find: 'const stored = stream?.find(commit.id, hash)',
    replace: 'const stored = undefined as ReturnType<NonNullable<typeof stream>["find"]> | undefined',
  },
  {
    name: 'the store does not look whether a reader knows another log',
    file: 'store/page.ts',
    find: 'if (!isThere) throw',
    replace: 'if (!isThere && position < 0) throw',
  },
  {
    name: 'the store does not compare the checkpoint',
    file: 'store/memory/rows/memory-rows.ts',
    find: 'checkCheckpoint(projection, from, kept.checkpoint)',
    replace: 'if (from.position < 0) checkCheckpoint(projection, from, kept.checkpoint)',
  },
  {
    name: 'the store saves a checkpoint without its rows now and then',
    file: 'store/memory/rows/memory-rows.ts',
    find: 'for (const [key, value] of copies) {',
    replace: 'for (const [key, value] of to.position % 5 === 4 ? [] : copies) {',
  },
  // -- the file store --------------------------------------------------------------------------------------------
  {
    name: 'a batch is acknowledged before it is on the disk',
    file: 'store/file/log/segments.ts',
    find: "const how = this.#options.mayLoseOnPowerFailure ? 'write' : 'writeDurably'",
    replace: "const how = 'write'",
  },
  {
    name: 'a batch that could be written only in part stays in the log',
    file: 'store/file/log/segments.ts',
    find: '      await file.truncate(length)\n      await file.sync()\n    } catch {\n      const { name }',
    replace: '    } catch {\n      const { name }',
  },
  {
    name: 'the name of a new segment is not made durable',
    file: 'store/file/log/segments.ts',
    find: 'held = await hold(path, file)\n      await this.#disk.syncDirectory(this.#directory)',
    replace: 'held = await hold(path, file)',
  },
  {
    name: 'an unfinished end of the log is passed over, but not cut',
    file: 'store/file/opening/scan.ts',
    find: '    await cut(disk, path, damage.offset)\n    segment.length = damage.offset\n',
    replace: '',
  },
  {
    name: 'what is left of an unfinished batch counts as stored',
    file: 'store/file/log/lines.ts',
    find: 'const end = line.length - 1\n  if (end < prefixBytes',
    replace:
      'const end = line.lastIndexOf(125) + 1\n  if (end >= prefixBytes) return JSON.parse(line.toString("utf8", prefixBytes, end))\n  if (end < prefixBytes',
  },
  {
    name: 'a step that must last is not synced',
    file: 'store/file/rows/journal.ts',
    find: 'if (isDurable && !this.#options.mayLoseOnPowerFailure) await this.#sync()',
    replace: 'if (isDurable && this.#options.mayLoseOnPowerFailure) await this.#sync()',
  },
  {
    name: 'a journal is renamed before it is on the disk',
    file: 'store/file/rows/journal.ts',
    find: '      written = await this.#writeChanges(file)\n      await file.sync()\n',
    replace: '      written = await this.#writeChanges(file)\n',
  },
  {
    name: 'a journal is written on after a sync that has failed',
    file: 'store/file/rows/journal.ts',
    find: "      this.#halt('it could not be synced', cause)\n",
    replace: '',
  },
  {
    name: 'a line of the log is believed although it is not the one that was written there',
    file: 'store/file/log/log-reader.ts',
    find: `const record = parseLine(line, checksum)
    if (isRecord(record) && record.position === this.#index.position.get(commit)) return record`,
    replace: 'const record = parseLine(line)\n    if (isRecord(record)) return record',
  },
  {
    name: 'a damaged line is cut with all lines after it',
    file: 'store/file/opening/scan.ts',
    find: 'if (isLast && hasHole && ofSameBatch) return',
    replace: 'if (isLast && hasHole && ofSameBatch !== undefined) return',
  },
  {
    name: 'the file store does not compare the event that a reader has read last',
    file: 'store/file/log/log-reader.ts',
    find: 'checksum: this.#index.checksumAt(behind.position) })',
    replace: 'checksum: behind.checksum })',
  },
]
