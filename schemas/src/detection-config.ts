import { z } from 'zod'

/** Options that change scores or alerts. Hashed; part of every release; changed only by a release (contracts C8). */
export const DetectionConfig = z.strictObject({
  shards: z.number().int().min(1).max(65_536).default(64).meta({ description: 'Shards, fixed at creation.' }),
  futureToleranceMs: z
    .number()
    .int()
    .min(0)
    .default(300_000)
    .meta({ description: 'Events further ahead of their arrival are dead letters.', unit: 'ms' }),
  lateAfterMs: z
    .number()
    .int()
    .min(0)
    .default(7 * 86_400_000)
    .meta({ description: 'Older events are scored, marked late and not learned.', unit: 'ms' }),
  sessionGapMs: z.number().int().min(1).default(1_800_000).meta({ description: 'Silence that ends an unnamed session.', unit: 'ms' }),
  sessionMaxMs: z.number().int().min(1).default(43_200_000).meta({ description: 'Longest session.', unit: 'ms' }),
  halfLifeMs: z
    .number()
    .int()
    .min(1)
    .default(30 * 86_400_000)
    .meta({ description: 'Half-life of learned counts.', unit: 'ms of event time' }),
  alertBudgetPerDay: z
    .number()
    .min(0)
    .default(20)
    .meta({ description: 'Ceiling on new alert groups per tenant and day; never a quota.', unit: 'alert groups' }),
  tailFloor: z
    .number()
    .min(0)
    .max(1)
    .default(1e-5)
    .meta({ description: 'Nothing alerts unless a normal event is this unlikely to look so unusual.', unit: 'probability' }),
  trainAfterEvents: z
    .number()
    .int()
    .min(100)
    .default(20_000)
    .meta({ description: 'First training of a tenant starts at this many events.', unit: 'events' }),
  retrainEveryDays: z
    .number()
    .min(1)
    .default(7)
    .meta({ description: 'Later trainings, unless twice the events came before, or a day brought 15 % more.', unit: 'days of event time' }),
  adoptAfterDays: z.number().min(1).default(7).meta({
    description:
      'A departure that goes on for so long without a verdict is learned, slowly, and said to be (not what touches sensitive data, flows or rules).',
    unit: 'days of event time',
  }),
  dailyDriftBudget: z
    .number()
    .min(0)
    .default(0.25)
    .meta({ description: 'Most that one day may move a learned mean, in its own spreads.', unit: 'standard deviations' }),
  groupWindowMs: z
    .number()
    .int()
    .min(1)
    .default(3_600_000)
    .meta({ description: 'Alerts of one family group within a session or this long.', unit: 'ms of event time' }),
})
export type DetectionConfig = z.infer<typeof DetectionConfig>
export const DEFAULT_DETECTION_CONFIG: DetectionConfig = DetectionConfig.parse({})
