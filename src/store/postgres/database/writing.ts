/** What all functions share that write: how they begin, the settings they need, and the time. */

/** The functions need `read committed`. This is the code of the error that they raise under another isolation level. */
export const wrongIsolation = 'MN001'

/** Of the two that wait for a lock, the server gives up first: then it is certain that nothing was written. */
export const lockWaitOf = (timeoutMs: number): string => `${Math.ceil(timeoutMs * 0.9)}ms`

const planSettings = `enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off`

/** Says before a function that plans are not left to what the tables look like at first. */
export const pinnedPlans: string = `SET ${planSettings}`

/** The setting by which the tables know that the store writes to them, and nobody else. */
export const writingSetting = 'mneme.writing'

/** From here to the end of the transaction it is the store that writes, or not. */
export const writingIn = (value: 'on' | 'off'): string => `PERFORM set_config('${writingSetting}', '${value}', true);`

/**
 * The start of every function that writes: durable whatever the defaults of the database are (a stricter setting
 * stays), heard of if the wait for a standby is cut short, and never waiting for a lock without end. `durable` and
 * `lock_wait` are parameters of each.
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

/** The present time of the server's clock, also where the transaction has waited since it began. */
export const presentIn: string = 'floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint'
