import type { FileFormat } from '@plumbline/adapters/files'
import { DEFAULT_DETECTION_CONFIG, PlumblineError } from '@plumbline/schemas'
import type { Command } from 'commander'
import { usageError } from '../exit.ts'
import { checkInputs } from '../inputs.ts'
import { FILE_FORMATS, integer, oneOf } from '../options.ts'
import { counted, type Output, note, report, write } from '../output.ts'
import { policyFlag } from '../policy/file.ts'
import { createProgress } from '../progress.ts'
import { examples, type Register } from '../register.ts'
import { openSink } from '../sink.ts'

interface Flags {
  readonly train?: string
  readonly test?: string
  readonly scores: string
  readonly learn: 'frozen' | 'online'
  readonly format?: FileFormat
  readonly tenant: string
  readonly tabular?: boolean
  readonly seed: number
  readonly policy?: string
}

export const registerEvaluate: Register = (program, outputOf) => {
  program
    .command('evaluate')
    .description('Learn from one file, then score another: one line per event, the same bytes for the same input. Labels are never read.')
    .argument('[files...]', 'with --tabular: TRAIN.csv TEST.csv')
    .option('--train <file>', 'what is normal: learned and trained on (A)')
    .option('--test <file>', 'what to score (B)')
    .requiredOption('--scores <file>', 'where the scores go; .gz is compressed, - is stdout')
    .option(
      '--learn <how>',
      'frozen: baselines stay as at the end of A; online: as in production',
      oneOf(['frozen', 'online'] as const),
      'frozen',
    )
    .option('--format <format>', `${FILE_FORMATS.join(', ')} (default: found from the file)`, oneOf(FILE_FORMATS))
    .option('--tenant <name>', 'tenant of events that name none', 'default')
    .option('--policy <file>', 'a policy in YAML, in force from the first event of A on')
    .option('--tabular', 'rows of numbers instead of events: the bare autoencoder, one score per line')
    .option('--seed <n>', 'with --tabular: seed of the nets', integer(0, 1_000_000), 0)
    .addHelpText(
      'after',
      examples(
        'plumbline evaluate --train january.jsonl.gz --test february.jsonl.gz --scores scores.jsonl',
        'plumbline evaluate --train a.jsonl --test b.jsonl --learn online --scores - --json',
        'plumbline evaluate --tabular rows.train.csv.gz rows.test.csv.gz --scores scores.txt',
      ),
    )
    .action(async (files: string[], flags: Flags, command: Command) => {
      const output = outputOf(command)
      await (flags.tabular === true ? tabular(files, flags, output) : events(files, flags, output))
    })
}

const tabular = async (files: readonly string[], flags: Flags, output: Output): Promise<void> => {
  const [train, test] = files
  if (flags.policy !== undefined) throw usageError('rows of numbers know no policy')
  if (train === undefined || test === undefined || files.length > 2) throw usageError('--tabular takes two files: TRAIN.csv TEST.csv')
  checkInputs([train, test])
  const { scoreTabular } = await import('@plumbline/training')
  const progress = createProgress(output, 'training', 'rows')
  progress.phase('training the nets')
  const scores = await scoreTabular(train, test, { seed: flags.seed })
  progress.end()
  const sink = openSink(flags.scores)
  await sink.write([...scores].map((score) => `${score}\n`).join(''))
  await sink.end()
  await finish(flags, output, { rows: scores.length, scores: flags.scores }, `${scores.length} rows scored into ${flags.scores}`)
}

const events = async (files: readonly string[], flags: Flags, output: Output): Promise<void> => {
  if (files.length > 0) throw usageError('name the files with --train and --test')
  if (flags.train === undefined || flags.test === undefined) throw usageError('both --train and --test are needed')
  checkInputs([flags.train, flags.test])
  const options = { format: flags.format, tenant: flags.tenant }
  const policy = await policyFlag(flags.policy)
  const [{ readEvents }, { evaluate }] = await Promise.all([import('@plumbline/adapters/files'), import('../evaluate/evaluate.ts')])
  const progress = createProgress(output, 'learning from A', 'events')
  const [train, test] = [readEvents(flags.train, options), readEvents(flags.test, options)]
  const sink = openSink(flags.scores)
  let lines: string[] = []
  const put = async (): Promise<void> => {
    if (lines.length > 0) await sink.write(`${lines.join('\n')}\n`)
    lines = []
  }
  const summary = await evaluate({
    train,
    test,
    learn: flags.learn,
    config: DEFAULT_DETECTION_CONFIG,
    policy,
    progress,
    write: (line) => {
      lines.push(JSON.stringify(line))
      return lines.length >= 1000 ? put() : undefined
    },
  })
  await put()
  await sink.end()
  progress.end()
  const { train: a, test: b } = summary
  if (b.events === b.rejected)
    throw new PlumblineError('NOTHING_SCORED', `${flags.test} holds no event that can be scored${refusals(b.codes)}`)
  const words = [
    `A: ${counted(a.events, 'event')} of ${counted(a.identities, 'identity', 'identities')} learned, ${a.rejected} refused; ${summary.releases.length === 0 ? 'too few to train on, statistics alone score' : `released ${summary.releases.join(', ')}`}`,
    `B (${flags.learn}): ${counted(b.events - b.rejected, 'event')} scored, ${b.flagged} of them in ${counted(b.alerts, 'alert')}, ${b.rejected} refused${refusals(b.codes)}`,
    `scores in ${flags.scores}`,
  ].join('\n')
  await finish(flags, output, { ...summary, scores: flags.scores }, words)
}

const refusals = (codes: Readonly<Record<string, number>>): string => {
  const parts = Object.entries(codes).map(([code, n]) => `${n} ${code}`)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}

/** The summary goes to stdout unless the scores do. */
const finish = async (flags: Flags, output: Output, value: unknown, words: string): Promise<void> => {
  if (flags.scores !== '-') return report(output, value, words)
  if (output.json) return write(output.err, `${JSON.stringify(value)}\n`)
  note(output, words)
}
