import type { FastifyInstance } from 'fastify'
import { DemoTryRequest, PlumblineError, type DemoOptions, type DemoTryAnswer } from '@plumbline/schemas'
import type { LiveTail } from '../live-tail.ts'
import { parse } from '../problems.ts'
import type { DemoControl } from '../ports.ts'

/** `demo` is null in deployments that never have one. */
export function demoRoutes(
  app: FastifyInstance,
  deps: { readonly demo: DemoControl | null; readonly tail: LiveTail; readonly demoTenant: string },
): void {
  const present = (): DemoControl => {
    if (deps.demo === null) throw new PlumblineError('DEMO_ABSENT', 'This deployment has no demo.')
    return deps.demo
  }

  app.get('/v1/demo/options', async (): Promise<DemoOptions> => {
    const options = present().options()
    if (options === null) throw new PlumblineError('DEMO_BUSY', 'The demo is not ready, or was removed.')
    return options
  })

  app.post('/v1/demo/try', { bodyLimit: 4 * 1024 }, async (request, reply): Promise<DemoTryAnswer> => {
    const answer = await present().play(parse(DemoTryRequest, request.body, 'body'))
    void reply.code(202)
    return answer
  })

  app.delete('/v1/demo', async (_request, reply): Promise<void> => {
    await present().remove()
    deps.tail.removeTenant(deps.demoTenant)
    void reply.code(204)
  })
}
