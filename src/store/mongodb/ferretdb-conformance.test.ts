/** The conformance kit on databases of a single server without transactions and change streams. */

import { conformanceByGroup } from '../../../test/support/servers/mongodb-place.ts'
import { findFerretdb } from '../../../test/support/servers/mongodb-server.ts'
import { onServer } from '../../../test/support/servers/server.ts'

await onServer('FerretDB keeps the contract', findFerretdb, conformanceByGroup)
