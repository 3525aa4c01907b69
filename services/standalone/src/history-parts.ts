import { createDoor } from '@plumbline/gateway'
import type { Part } from '@plumbline/runtime'
import { type Context, logOf, present } from './context.ts'
import { createDemo } from './demo/demo.ts'
import { createPace, type Pace } from './pace.ts'
import { createRemoval } from './removal.ts'

export const paceOf = (context: Context): Pace => {
  const detection = present(context.detection, 'The detector')
  return createPace({
    trainer: present(context.trainer, 'The trainer'),
    scored: (tenant) => detection.tenants().find(({ name }) => name === tenant)?.events ?? 0,
    lag: detection.lag,
    storeUp: context.storeUp.promise,
    logger: context.logger,
  })
}

export const demoPart = (context: Context): Part => ({
  name: 'demo',
  start() {
    const { config, clock, logger, metrics, port } = context
    const log = logOf(context)
    const detection = present(context.detection, 'The detector')
    const trainer = present(context.trainer, 'The trainer')
    const storage = present(context.storage, 'The store')
    const releases = present(context.releases, 'The log')
    const forwarder = present(context.forwarder, 'Delivery')
    const removal = createRemoval({ log, detection, releases, trainer, storage, tenants: context.tenants, clock, logger })
    context.demo = createDemo({
      log,
      door: createDoor({ port, shards: config.shards, clock, metrics }),
      pace: paceOf(context),
      seed: config.demoSeed,
      clock,
      logger,
      lag: detection.lag,
      shown: () => forwarder.drain(),
      // Only the API asks for it.
      removeTenant: (tenant) => removal(tenant, 'token holder'),
    })
    if (config.demo) context.demo.start()
  },
  stop: () => context.demo?.stop(),
})
