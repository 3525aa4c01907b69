/**
 * Long fault runs: `npm run test:faults -- [--faults 500] [--seed 1] [--record]`. Prints how often each fault took place, what
 * differs from the oracle, and whether the negative control was noticed. `--embedded` does it to the embedded log instead.
 */
import { parseArgs } from 'node:util'

const options = {
  faults: { type: 'string', default: '100' },
  seed: { type: 'string', default: '1' },
  embedded: { type: 'boolean', default: false },
  record: { type: 'boolean', default: false },
} as const
const { values } = parseArgs({ options })
const faults = Number(values.faults)
const seed = Number(values.seed)
if (!(faults >= 1) || !Number.isInteger(seed)) throw new RangeError('--faults is a number of at least 1, --seed a whole one.')

const run = values.embedded
  ? (await import('./run-embedded.ts')).runEmbedded({ faults, seed })
  : (await import('./cluster/run.ts')).runCluster({ faults, seed, record: values.record })
process.exitCode = (await run) ? 0 : 1
