import { type Context, present } from './context.ts'
import { createPace, type Pace } from './pace.ts'

export const paceOf = (context: Context): Pace => {
  const detection = present(context.detection, 'The detector')
  return createPace({
    trainer: present(context.trainer, 'The trainer'),
    scored: (tenant) => detection.tenants().find(({ name }) => name === tenant)?.events ?? 0,
    lag: detection.lag,
    refresh: detection.refresh,
    storeUp: context.storeUp.promise,
    logger: context.logger,
  })
}
