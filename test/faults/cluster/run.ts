import { type Measured, type Table, measureAndStore } from '../../../bench/lib/result.ts'
import { writeReport } from '../../../bench/report.ts'
import { type CampaignResult, runCampaign } from './campaign.ts'
import { EVERYTHING, ZOMBIES, faultsOf, namesOf } from './faults.ts'
import { differences } from './oracle.ts'
import { openSite } from './site.ts'

interface Outcome {
  readonly seed: number
  readonly sound: CampaignResult
  readonly control: CampaignResult
}

const never = ({ fired }: CampaignResult): string[] => namesOf(EVERYTHING).filter((name) => !fired.has(name))

const passed = ({ sound, control }: Outcome): boolean =>
  differences(sound.verdict) === 0 && never(sound).length === 0 && differences(control.verdict) > 0

const campaigns = async (faults: number, seed: number): Promise<Outcome> => {
  const site = await openSite()
  try {
    const rounds = Math.ceil(faults / faultsOf(EVERYTHING).length)
    const onProgress = (text: string): void => void process.stderr.write(`${text}\n`)
    const sound = await runCampaign(site, { seed, mix: EVERYTHING, rounds, onProgress })
    const control = await runCampaign(site, { seed: seed + 1, mix: ZOMBIES, broken: true, onProgress })
    return { seed, sound, control }
  } finally {
    await site.close()
  }
}

/** What no fault did: with nothing seen in n, the rate may still be as high as 3/n (95 %). */
const bound = (n: number): string => `0 of ${n} supports a rate below 3/${n} per fault, no more`

const print = (outcome: Outcome): void => {
  const { seed, sound, control } = outcome
  for (const name of namesOf(EVERYTHING)) console.log(`${String(sound.fired.get(name) ?? 0).padStart(5)}  ${name}`)
  console.log(`seed ${seed}: ${sound.faults} faults in ${sound.seconds} s`, sound.verdict)
  console.log(`negative control: ${control.faults} faults in ${control.seconds} s`, control.verdict)
  if (never(sound).length > 0) console.log('never came about:', never(sound).join(', '))
  console.log(passed(outcome) ? `passed: ${bound(sound.faults)}; the control was noticed` : 'FAILED')
}

const VERDICT = ['events', 'controls', 'rows', 'alerts', 'deadLetters', 'slots', 'lost', 'doubled', 'wrong', 'state'] as const
const DIFFERENCES = ['lost', 'doubled', 'wrong', 'state'] as const

const tables = ({ sound, control }: Outcome): Table[] => [
  {
    title: 'Compared with the oracle',
    columns: ['run', 'faults', ...VERDICT],
    rows: [
      ['one transactional id per shard', sound.faults, ...VERDICT.map((name) => sound.verdict[name])],
      ['negative control: one per worker', control.faults, ...VERDICT.map((name) => control.verdict[name])],
    ],
    notes: [`${bound(sound.faults)}.`],
  },
  {
    title: 'Faults that took place',
    columns: ['fault', 'times'],
    rows: namesOf(EVERYTHING).map((name) => [name, sound.fired.get(name) ?? 0]),
  },
]

const measured = (outcome: Outcome): Measured => ({
  title: 'Faults in a cluster',
  command: `npm run test:faults -- --faults ${outcome.sound.faults} --seed ${outcome.seed} --record`,
  how: [
    `Three worker processes, four shards, one broker (replication factor 1), deployments that write state with each chunk and ones that write snapshots by turns, seed ${outcome.seed}: killed (SIGKILL), standing still (SIGSTOP) until another worker has committed in their place, or failing at each point of the protocol; answers lost by a proxy; the broker killed and started again; workers leaving and joining. Then everything committed against what the pure detector makes of the events topic.`,
  ],
  values: {
    seed: outcome.seed,
    faults: outcome.sound.faults,
    verdict: outcome.sound.verdict,
    fired: Object.fromEntries(outcome.sound.fired),
    control: outcome.control.verdict,
  },
  bars: DIFFERENCES.map((name) => ({
    what: `${name}, of ${outcome.sound.verdict.events} events`,
    measured: outcome.sound.verdict[name],
    bar: 0,
    atLeast: false,
    unit: '',
    digits: 0,
  })),
  tables: tables(outcome),
})

interface RunOptions {
  readonly faults: number
  readonly seed: number
  /** Stores the outcome for bench/results.md. */
  readonly record: boolean
}

/** A long run over worker processes; false when it found a difference, or not the one it had to find. */
export const runCluster = async ({ faults, seed, record }: RunOptions): Promise<boolean> => {
  let outcome: Outcome | undefined
  const run = async (): Promise<Measured> => measured((outcome = await campaigns(faults, seed)))
  if (record) {
    await measureAndStore('faults', run)
    writeReport()
  } else await run()
  print(outcome!)
  return passed(outcome!)
}
