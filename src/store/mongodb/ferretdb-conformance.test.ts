/** The contract of the port, on databases of a single server without transactions and change streams. */

import { conformanceByGroup } from '../../../test/servers/mongodb-place.ts'
import { findFerretdb } from '../../../test/servers/mongodb-server.ts'
import { onServer } from '../../../test/servers/server.ts'

await onServer('FerretDB keeps the contract', findFerretdb, conformanceByGroup)
