import type { FileFormat } from '@plumbline/adapters/files'
import { type Alert, DEFAULT_DETECTION_CONFIG, PlumblineError } from '@plumbline/schemas'
import type { Command } from 'commander'
import { EXIT, usageError } from '../exit.ts'
import { checkInputs } from '../inputs.ts'
import { FILE_FORMATS, integer, oneOf } from '../options.ts'
import { type Output, write } from '../output.ts'
import { policyFlag } from '../policy/file.ts'
import { createProgress, type Progress } from '../progress.ts'
import { examples, type Register } from '../register.ts'
import type { ReplaySummary, ReplayTarget } from '../replay/replay.ts'
import { dataDirOf } from '../store.ts'

interface Flags {
  readonly format?: FileFormat
  readonly speed: string
  readonly tenant: string
  readonly to?: string
  readonly token?: string
  readonly dataDir?: string
  readonly arrival: 'event' | 'wall'
  readonly trainAfter?: number
  readonly policy?: string
}

export const registerReplay: Register = (program, outputOf) => {
  program
    .command('replay')
    .description('Play files of events through a throw-away instance, or into a running one, and show the alerts.')
    .argument('<files...>', 'plain or gzip, in this order; - for stdin')
    .option('--format <format>', `${FILE_FORMATS.join(', ')} (default: found from each file)`, oneOf(FILE_FORMATS))
    .option('--speed <speed>', 'max, or a multiple of the time between events, like 10x or 1x', 'max')
    .option('--tenant <name>', 'tenant of events that name none', 'default')
    .option('--to <url>', 'a running instance, like http://localhost:7070')
    .option(
      '--arrival <when>',
      'with --to. event: as if each had arrived at its event time; only on the machine of the instance. wall: its clock stamps the arrival, events older than 7 days are late and not learned',
      oneOf(['event', 'wall'] as const),
      'event',
    )
    .option('--data-dir <folder>', 'with --arrival event: data folder of that instance (default: PLUMBLINE_DATA_DIR or data)')
    .option('--token <token>', 'with --arrival wall: its token (default: PLUMBLINE_TOKEN, or that of the data folder)')
    .option('--train-after <n>', 'throw-away instance: events until the first model is trained', integer(100, 100_000_000))
    .option('--policy <file>', 'throw-away instance: a policy in YAML, in force from the first event on: try one on history')
    .addHelpText(
      'after',
      examples(
        'plumbline replay --format cloudtrail trail/*.json.gz',
        'plumbline generate --days 15 | plumbline replay -',
        'plumbline replay --policy staging.policy.yaml march.jsonl.gz',
        'plumbline replay --to http://localhost:7070 day.jsonl.gz',
        'plumbline replay --to https://plumbline.example.com --arrival wall --speed 10x today.jsonl.gz',
      ),
    )
    .action(async (files: string[], flags: Flags, command: Command) => replayFiles(files, flags, outputOf(command)))
}

/** Milliseconds of replay per millisecond of event time; 0 for as fast as it goes. */
const paceOf = (speed: string): number => {
  if (speed === 'max') return 0
  const factor = /^(\d+(?:\.\d+)?)x$/.exec(speed)?.[1]
  const value = Number(factor)
  if (factor === undefined || value <= 0) throw new PlumblineError('USAGE', `--speed is max or a multiple like 10x, not ${speed}`)
  return 1 / value
}

const replayFiles = async (files: readonly string[], flags: Flags, output: Output): Promise<void> => {
  checkInputs(files)
  const pace = paceOf(flags.speed)
  if (flags.to !== undefined && flags.policy !== undefined)
    throw usageError('--policy is for a throw-away instance; a running one has its own')
  const { replay } = await import('../replay/replay.ts')
  const progress = createProgress(output, 'replaying', 'events')
  const target = await targetOf(flags, output, progress)
  const summary = await replay({ files, format: flags.format, tenant: flags.tenant, pace, target, progress })
  progress.end()
  await write(
    output.out,
    output.json
      ? `${JSON.stringify({ summary })}\n`
      : `${wordsOf(summary, flags.trainAfter ?? DEFAULT_DETECTION_CONFIG.trainAfterEvents)}\n`,
  )
  if (summary.events === 0 && summary.rejected > 0) process.exitCode = EXIT.failure
}

const instanceTarget = async (to: string, flags: Flags, progress: Progress): Promise<ReplayTarget> => {
  if (flags.arrival === 'wall') {
    const [{ remoteTarget }, { tokenFor }] = await Promise.all([import('../replay/remote.ts'), import('../instance/access.ts')])
    return remoteTarget(to, flags.token ?? (await tokenFor(to, flags)))
  }
  const [{ operatorTarget }, { runningAt }] = await Promise.all([import('../replay/operator.ts'), import('../instance/access.ts')])
  const instance = await runningAt(to, flags)
  if (instance === undefined) {
    throw new PlumblineError(
      'ARRIVAL_NOT_SETTABLE',
      `${to} is not the instance of the data folder ${dataDirOf(flags)}, and only the operator of its machine may say when events arrived: run this there with --data-dir, or add --arrival wall (events older than 7 days are then late and not learned)`,
    )
  }
  return operatorTarget(instance.operator, flags.tenant, progress)
}

const targetOf = async (flags: Flags, output: Output, progress: Progress): Promise<ReplayTarget> => {
  if (flags.to !== undefined) return instanceTarget(flags.to, flags, progress)
  const [{ throwAwayTarget }, { alertWords }] = await Promise.all([import('../replay/throw-away.ts'), import('../replay/words.ts')])
  const policy = await policyFlag(flags.policy)
  const config = { ...DEFAULT_DETECTION_CONFIG, ...(flags.trainAfter === undefined ? {} : { trainAfterEvents: flags.trainAfter }) }
  const show = (alert: Alert): Promise<void> =>
    write(output.out, output.json ? `${JSON.stringify({ alert })}\n` : `${alertWords(alert)}\n\n`)
  return throwAwayTarget(config, show, { policy })
}

const MOST_NAMED = 3

const spanWords = ({ events, fromTime, toTime }: ReplaySummary): string => {
  if (events === 0) return ''
  const [from, to] = [fromTime, toTime].map((ms) => new Date(ms).toISOString().replace('T', ' ').slice(0, 16))
  return ` from ${from} to ${to} UTC`
}

const wordsOf = (s: ReplaySummary, trainAfter: number): string => {
  const codes = Object.entries(s.codes).map(([code, n]) => `${n} ${code}`)
  const refused = s.rejected === 0 ? 'none refused' : `${s.rejected} refused (${codes.join(', ')})`
  const rate = Math.round((s.events * 1000) / Math.max(1, s.tookMs))
  const took = `${s.events} events${spanWords(s)}, in ${(s.tookMs / 1000).toFixed(1)} s (${rate}/s); ${refused}`
  if (s.alerts === undefined) return `${took}. Alerts are on the page of the instance.`
  const levels = Object.entries(s.severities ?? {}).map(([level, n]) => `${n} ${level}`)
  const who = (s.alerted ?? []).slice(0, MOST_NAMED).map(({ identity, alerts }) => `${identity} ${alerts}`)
  const models = s.releases?.filter((r) => r.withModel).length ?? 0
  const scored =
    models === 0
      ? `no model yet (the first is trained after ${trainAfter} events: --train-after), statistics alone scored`
      : `${models} ${models === 1 ? 'model' : 'models'} trained`
  return [
    took,
    `${s.identities} identities; ${scored}`,
    `${s.alerts} alerts${levels.length === 0 ? '' : `: ${levels.join(', ')}; most by ${who.join(', ')}`}`,
  ].join('\n')
}
