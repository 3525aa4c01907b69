import type { FileFormat } from '@plumbline/adapters/files'
import { DEFAULT_DETECTION_CONFIG, type DetectionConfig, PlumblineError } from '@plumbline/schemas'
import type { Command } from 'commander'
import { EXIT, usageError } from '../exit.ts'
import { checkInputs } from '../inputs.ts'
import { interruptible } from '../interrupts.ts'
import { FILE_FORMATS, integer, oneOf } from '../options.ts'
import { note, type Output, report } from '../output.ts'
import { policyFlag } from '../policy/file.ts'
import { createProgress, type Progress } from '../progress.ts'
import { examples, type Register } from '../register.ts'
import type { BoardOptions } from '../replay/board.ts'
import type { ReplayTarget } from '../replay/replay.ts'
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
  readonly all?: boolean
}

export const registerReplay: Register = (program, outputOf) => {
  program
    .command('replay')
    .description('Play files of events through a throw-away instance, or into a running one, and show the alerts.')
    .argument('<files...>', 'plain or gzip, in any order: events are replayed by event time; - for stdin, replayed in the order it comes')
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
    .option('--all', 'throw-away instance: show also the alerts that the daily budget holds back')
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

const configOf = ({ trainAfter }: Flags): DetectionConfig => ({
  ...DEFAULT_DETECTION_CONFIG,
  ...(trainAfter === undefined ? {} : { trainAfterEvents: trainAfter }),
})

const replayFiles = async (files: readonly string[], flags: Flags, output: Output): Promise<void> => {
  checkInputs(files)
  const pace = paceOf(flags.speed)
  if (flags.to !== undefined && flags.policy !== undefined)
    throw usageError('--policy is for a throw-away instance; a running one has its own')
  const [{ replay }, { summaryWords }] = await Promise.all([import('../replay/replay.ts'), import('../replay/summary.ts')])
  const progress = createProgress(output, 'replaying', 'events')
  const config = configOf(flags)
  // Standard input is shown as it comes, and the usual end of that is Ctrl-C.
  const streams = files.includes('-')
  const target = await targetOf(flags, config, streams || pace > 0, output, progress)
  const stop = streams ? undefined : interruptible(new PlumblineError('INTERRUPTED', 'interrupted before anything was replayed'))
  const { format, tenant } = flags
  try {
    const summary = await replay({ files, format, tenant, pace, target, progress, signal: stop?.signal })
    progress.end()
    const { outcome, ...rest } = summary
    await report(output, { summary: { ...rest, ...outcome } }, summaryWords(summary, config))
    if (stop?.signal.aborted === true) note(output, 'Interrupted: not all of it was replayed.')
    if (stop?.signal.aborted === true || (summary.events === 0 && summary.rejected > 0)) process.exitCode = EXIT.failure
  } finally {
    progress.end()
    stop?.release()
  }
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

const targetOf = async (
  flags: Flags,
  config: DetectionConfig,
  live: boolean,
  output: Output,
  progress: Progress,
): Promise<ReplayTarget> => {
  if (flags.to !== undefined) return instanceTarget(flags.to, flags, progress)
  const policy = await policyFlag(flags.policy)
  const [{ throwAwayTarget }, { alertWords }, { laterLine }] = await Promise.all([
    import('../replay/throw-away.ts'),
    import('../replay/words.ts'),
    import('@plumbline/adapters/siem'),
  ])
  const board: BoardOptions = {
    budgetPerDay: flags.all === true ? Number.POSITIVE_INFINITY : config.alertBudgetPerDay,
    live,
    show: (alert, first) => report(output, { alert }, first ? `${alertWords(alert)}\n` : laterLine(alert)),
  }
  return throwAwayTarget(config, board, { policy })
}
