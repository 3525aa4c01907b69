// `npm install` in a fresh clone: hand over to pnpm, which owns this workspace. pnpm runs this as well and needs nothing.
import { bootstrap, guarded } from './bootstrap.mjs'

const byPnpm = (process.env.npm_config_user_agent ?? '').startsWith('pnpm')
if (process.env.INSTALLED_BY_BOOTSTRAP === undefined && !byPnpm) await guarded(() => void bootstrap())
