export type { BackfillOptions, BackfillSummary } from './backfill.ts'
export { startStandalone, type Standalone, type StandaloneHooks } from './compose.ts'
export { loadStandaloneConfig, StandaloneConfig } from './config.ts'
export { feed, type FeedOptions, recordOf, replayClock } from './feed.ts'
