export { startStandalone, type Standalone, type StandaloneHooks } from './compose.ts'
export { loadStandaloneConfig, StandaloneConfig } from './config.ts'
export { feed, type FeedOptions } from './feed.ts'
