// Recall, false alerts and the data sets that are not ours. Each part is cached by the sources it speaks of, so that a run
// that was stopped goes on where it was: npm run bench -- detection [part …]
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { load, shape } from '../lib/machine.ts'
import { RESULTS } from '../lib/paths.ts'
import { type Bar, type Measured, plain, type Table } from '../lib/result.ts'
import { adversary } from './adversary.ts'
import { blind } from './blind.ts'
import { companyPeers } from './company-peers.ts'
import { adbench, agentdyn, cloudtrail } from './datasets.ts'
import { benignMonth, company200, company5000, sizeCurve } from './generated.ts'
import { incidents } from './incidents.ts'
import { numbers } from './numbers.ts'
import { seeds5000 } from './seeds5000.ts'
import { paramsPath, unseenCompany } from './unseen.ts'

export interface DetectionPart {
  readonly how: readonly string[]
  readonly values: Readonly<Record<string, unknown>>
  readonly bars: readonly Bar[]
  readonly tables: readonly Table[]
}

type Part = () => Promise<DetectionPart>

const PARTS: Readonly<Record<string, Part>> = {
  company200,
  peers200: companyPeers,
  company5000,
  seeds5000,
  benign: benignMonth,
  curve: sizeCurve,
  agentdyn,
  cloudtrail,
  adbench,
  numbers,
  adversary,
  incidents,
  blind,
}

/** A part as it is kept beside the results: a run of some parts shows the others as they were last measured. */
interface KeptPart extends DetectionPart {
  readonly measured: string
}

const keptPath = (name: string): string => join(RESULTS, 'detection', `${name}.json`)

const keep = async (name: string, part: Part): Promise<KeptPart> => {
  process.stderr.write(`detection: ${name} …\n`)
  const before = load()
  const measured = await part()
  const { commit, loadBefore, loadAfter } = shape(before)
  const kept: KeptPart = {
    ...measured,
    measured: `${name}: ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC at ${commit}, load average ${loadBefore} to ${loadAfter}`,
  }
  mkdirSync(join(RESULTS, 'detection'), { recursive: true })
  writeFileSync(keptPath(name), `${JSON.stringify(kept, plain, 1)}\n`)
  return kept
}

const UNSEEN = 'unseen'

/** Parts that this run can measure: `unseen` only where its parameters were named. */
const partsFor = (params: string | null): Readonly<Record<string, Part>> => ({
  ...PARTS,
  ...(params === null ? {} : { [UNSEEN]: () => unseenCompany(params) }),
})

export const detection = (args: readonly string[]) => {
  const { path, rest: names } = paramsPath(args)
  const known = partsFor(path)
  if (path === null && names.includes(UNSEEN)) throw new Error('the part unseen needs --params FILE or PLUMBLINE_BENCH_PARAMS')
  const unknown = names.filter((n) => !Object.hasOwn(known, n))
  if (unknown.length > 0) throw new Error(`no part ${unknown.join(', ')}; there are ${[...Object.keys(PARTS), UNSEEN].join(', ')}`)
  return async (): Promise<Measured> => {
    const parts: (readonly [string, KeptPart])[] = []
    const all = [...Object.keys(PARTS), UNSEEN]
    for (const name of all) {
      const part = known[name]
      if (part !== undefined && (names.length === 0 || names.includes(name))) parts.push([name, await keep(name, part)])
      else if (existsSync(keptPath(name))) parts.push([name, JSON.parse(readFileSync(keptPath(name), 'utf8')) as KeptPart])
    }
    const open = all.filter((name) => !parts.some(([n]) => n === name))
    return {
      title: 'Detection',
      how: [
        'Alerts are those delivered: after the daily ceiling of 20 new groups per tenant, through which the first critical one of each reason family always goes. A case is caught when a delivered alert holds one of its key events, explained when such an alert leads with an accepted reason (packages/generator/attacks.md, written before tuning). Intervals: 95 % bootstrap over cases. Subtlety 3 where nothing else is said.',
        ...parts.flatMap(([, p]) => p.how),
        `Parts measured: ${parts.map(([, p]) => p.measured).join('; ')}.`,
      ],
      values: Object.fromEntries(parts.map(([name, p]) => [name, p.values])),
      bars: parts.flatMap(([, p]) => p.bars),
      tables: parts.flatMap(([, p]) => p.tables),
      open,
    }
  }
}
