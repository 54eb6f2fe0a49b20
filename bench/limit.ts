/** What is known of why a target is missed: what a CPU profile or a count showed, not a guess. */
import type { Figure } from './figure.ts'

/** By the figure's id and store. */
const limits: Readonly<Record<string, string>> = {
  'W6c memory':
    'Garbage collection takes more than 40% of the main thread (`--profile`): a command makes some 3 KB of objects, of which 0.4 stay in the log.',
  'W6c-plain memory':
    'Garbage collection takes more than 40% of the main thread (`--profile`): a command makes some 3 KB of objects, of which 0.4 stay in the log.',
  'W1 file':
    'The trip to the thread pool, so that a sync does not hold up the event loop: a write and a sync on the main thread take 0.15 to 0.19 ms, one durable write through the pool 0.14 to 0.22.',
  'W1 sqlite':
    "The hand-over to the writer's thread and back, about 0.1 ms, so that a sync does not hold up the event loop.",
  'W1 postgres':
    'The server, for the promises that the bare insert does not give. Of some 0.57 ms the call alone takes 0.18 (28 arrays), kinds and locks 0.06, the new stream and the sync 0.23, judging, the head, the events and the notification 0.1; a round trip that does nothing takes 0.09.',
  'W6c file':
    'The processor, not the disk: in batches of 1,000 the bare loop writes prepared bytes, and needs 0.6 microseconds for a commit; to decide one takes 2.5 to 3 (W6c on memory), to encode and index it 3. Writing and syncing are about a tenth of the time.',
  'loop file':
    'Deciding and encoding a batch of 1,000 keeps the main thread for some 6 ms at a stretch, and a collection of garbage may come on top; the sync is on another thread.',
  'W15-frozen sqlite':
    'A process that is frozen in the middle of a write keeps the lock of the file. Nobody else can write until it goes on or ends; here that is after 5 s.',
  'W6c sqlite':
    'Callers of one batch come back when it is answered, so the main thread (some 5 ms for 1,000) and the writer (some 9) work one after the other. Batches of 500 overlap and reach 0.68 of their own floor at the same rate of commands, with more CPU, so they are not the default.',
}

export function limitOf({ id, store }: Figure): string | undefined {
  return limits[`${id} ${store}`]
}
