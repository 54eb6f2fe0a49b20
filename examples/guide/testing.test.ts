/** The code of docs/guide/testing.md, run as tests. */
import { memory } from '../../src/index.ts'
import { storeConformance } from '../../src/testing/index.ts'

// #region conformance
storeConformance('my store', async () => ({ factory: memory() }))
// #endregion
