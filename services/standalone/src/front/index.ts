export { startFront } from './compose.ts'
export { FrontConfig, loadFrontConfig } from './config.ts'
