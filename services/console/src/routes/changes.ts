import type { FastifyInstance } from 'fastify'
import { ChangeQuery, type ChangePage } from '@plumbline/schemas'
import { decodeChangeCursor, encodeChangeCursor } from '../cursor.ts'
import { parse } from '../problems.ts'
import type { ViewOf } from '../scope.ts'

/** What deploys announced. Announcing is at the same address, with a signature instead of a token: see the gateway. */
export function changeRoutes(app: FastifyInstance, viewOf: ViewOf): void {
  app.get('/v1/changes', async (request): Promise<ChangePage> => {
    const { tenant, state, identity, peerGroup, limit, cursor } = parse(ChangeQuery, request.query, 'query')
    const asked = {
      tenant,
      ...(state !== undefined && { state }),
      ...(identity !== undefined && { identity }),
      ...(peerGroup !== undefined && { peerGroup }),
    }
    const after = cursor === undefined ? null : decodeChangeCursor(cursor)
    const found = viewOf(request).reads.changes.page(asked, after, limit + 1)
    const changes = found.slice(0, limit)
    const last = changes.at(-1)
    return { changes, cursor: found.length > limit && last !== undefined ? encodeChangeCursor(last) : null }
  })
}
