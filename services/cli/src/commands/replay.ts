import { existsSync } from 'node:fs'
import type { FileFormat } from '@plumbline/adapters/files'
import { DEFAULT_DETECTION_CONFIG, PlumblineError } from '@plumbline/schemas'
import type { Command } from 'commander'
import { EXIT } from '../exit.ts'
import { FILE_FORMATS, integer, oneOf } from '../options.ts'
import { type Output, write } from '../output.ts'
import { createProgress } from '../progress.ts'
import { examples, type Register } from '../register.ts'
import type { ReplaySummary, ReplayTarget } from '../replay/replay.ts'

interface Flags {
  readonly format?: FileFormat
  readonly speed: string
  readonly tenant: string
  readonly to?: string
  readonly token?: string
  readonly trainAfter?: number
}

export const registerReplay: Register = (program, outputOf) => {
  program
    .command('replay')
    .description('Play files of events through a throw-away instance, or into a running one, and show the alerts.')
    .argument('<files...>', 'plain or gzip, in this order; - for stdin')
    .option('--format <format>', `${FILE_FORMATS.join(', ')} (default: found from each file)`, oneOf(FILE_FORMATS))
    .option('--speed <speed>', 'max, or a multiple of the time between events, like 10x or 1x', 'max')
    .option('--tenant <name>', 'tenant of events that name none', 'default')
    .option('--to <url>', 'a running instance, like http://localhost:7070. Its clock stamps the arrival: old events count as late there')
    .option('--token <token>', 'with --to: its token (default: PLUMBLINE_TOKEN)')
    .option('--train-after <n>', 'throw-away instance: events until the first model is trained', integer(100, 100_000_000))
    .addHelpText(
      'after',
      examples(
        'plumbline replay --format cloudtrail trail/*.json.gz',
        'plumbline generate --days 15 | plumbline replay -',
        'plumbline replay --to http://localhost:7070 --speed 10x day.jsonl.gz',
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
  const missing = files.find((file) => file !== '-' && !existsSync(file))
  if (missing !== undefined) throw new PlumblineError('FILE_NOT_FOUND', `${missing} does not exist`)
  const pace = paceOf(flags.speed)
  const { replay } = await import('../replay/replay.ts')
  const target = await targetOf(flags, output)
  const progress = createProgress(output, 'replaying', 'events')
  const summary = await replay({ files, format: flags.format, tenant: flags.tenant, pace, target, progress })
  progress.end()
  await write(output.out, output.json ? `${JSON.stringify({ summary })}\n` : `${wordsOf(summary)}\n`)
  if (summary.events === 0 && summary.rejected > 0) process.exitCode = EXIT.failure
}

const targetOf = async (flags: Flags, output: Output): Promise<ReplayTarget> => {
  if (flags.to !== undefined) {
    const { remoteTarget } = await import('../replay/remote.ts')
    return remoteTarget(flags.to, flags.token ?? process.env['PLUMBLINE_TOKEN'])
  }
  const [{ throwAwayTarget }, { alertWords }] = await Promise.all([import('../replay/throw-away.ts'), import('../replay/words.ts')])
  const config = { ...DEFAULT_DETECTION_CONFIG, ...(flags.trainAfter === undefined ? {} : { trainAfterEvents: flags.trainAfter }) }
  return throwAwayTarget(config, (alert) => write(output.out, output.json ? `${JSON.stringify({ alert })}\n` : `${alertWords(alert)}\n\n`))
}

const wordsOf = (s: ReplaySummary): string => {
  const codes = Object.entries(s.codes).map(([code, n]) => `${n} ${code}`)
  const refused = s.rejected === 0 ? 'none refused' : `${s.rejected} refused (${codes.join(', ')})`
  const took = `${s.events} events in ${(s.tookMs / 1000).toFixed(1)} s, ${Math.round((s.events * 1000) / Math.max(1, s.tookMs))}/s; ${refused}`
  if (s.alerts === undefined) return `${took}. Alerts are on the page of the instance.`
  const models = s.releases?.filter((r) => r.withModel).length ?? 0
  return `${took}\n${s.alerts} alerts of ${s.identities} identities; ${models === 0 ? 'no model yet, statistics alone scored' : `${models} ${models === 1 ? 'model' : 'models'} trained`}`
}
