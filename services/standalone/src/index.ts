export { startStandalone } from './compose.ts'
export type { Service as Standalone, ServiceHooks as StandaloneHooks } from './service.ts'
export { loadStandaloneConfig, StandaloneConfig } from './config.ts'
export { feed, type FeedOptions } from './feed.ts'
