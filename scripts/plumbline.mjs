#!/usr/bin/env node
// `npx plumbline …` from the root of a checkout.
import { guarded } from './bootstrap.mjs'
import { runTarget } from './run.mjs'

await guarded(() => runTarget('plumbline', process.argv.slice(2)))
