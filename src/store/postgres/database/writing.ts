/** The parts that all writing functions share: how they begin, the settings they need, and the time. */

/** The functions need `read committed`. This is the code of the error that they raise under another isolation level. */
export const wrongIsolation = 'MN001'

/**
 * The server stops waiting for a lock before this process stops waiting for the answer. Then it is certain that nothing
 * was written.
 */
export const lockWaitOf = (timeoutMs: number): string => `${Math.ceil(timeoutMs * 0.9)}ms`

const planSettings = `enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off`

/** Settings before a function that pin its plans, so that they do not depend on how large the tables were at first. */
export const pinnedPlans: string = `SET ${planSettings}`

/** The setting that tells the tables' triggers that the store is writing. */
export const writingSetting = 'mneme.writing'

/** Says whether the store is writing, from here to the end of the transaction. */
export const writingIn = (value: 'on' | 'off'): string => `PERFORM set_config('${writingSetting}', '${value}', true);`

/**
 * The start of every function that writes. It is durable whatever the defaults of the database are (a stricter setting
 * stays). It gets a notice if the wait for a standby is cut short. It never waits for a lock without a limit. `durable`
 * and `lock_wait` are parameters of each function.
 */
export const beginWriting: string = `
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'this runs at read committed' USING ERRCODE = '${wrongIsolation}';
  END IF;
  IF NOT durable THEN
    PERFORM set_config('synchronous_commit', 'off', true);
  ELSIF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  IF current_setting('client_min_messages') = 'error' THEN
    PERFORM set_config('client_min_messages', 'warning', true);
  END IF;
  PERFORM set_config('lock_timeout', lock_wait, true);
  ${writingIn('on')}`

/** The present time of the server's clock, also if the transaction has waited since it began. */
export const presentIn: string = 'floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint'
