import { checkInputs } from '../inputs.ts'
import { readFile } from 'node:fs/promises'
import type { AttackKind, GenerateOptions, Level, Subtlety } from '@plumbline/generator'
import { PlumblineError } from '@plumbline/schemas'
import type { Command } from 'commander'
import { usageError } from '../exit.ts'
import { integer, number, numberOrRange, oneOf, time } from '../options.ts'
import { counted, type Output, note, report } from '../output.ts'
import { createProgress } from '../progress.ts'
import { examples, type Register } from '../register.ts'
import { openSink } from '../sink.ts'

interface Flags {
  readonly out: string
  readonly labels?: string
  readonly seed: number
  readonly start?: number
  readonly days: number
  readonly identities: number
  readonly rate: number
  readonly tenant: string
  readonly level: Level
  readonly attacks: string
  readonly subtlety: Subtlety | 'mixed'
  readonly perKind: number
  readonly size?: number | readonly [number, number]
  readonly labelledDays?: number
  readonly twins: boolean
  readonly peerGroups: boolean
  readonly handoffs: boolean
  readonly arguments: boolean
  readonly params?: string
  readonly limit?: number
}

const LEVELS: readonly Level[] = ['L0', 'L1', 'L2']
const DAY_MS = 86_400_000

export const registerGenerate: Register = (program, outputOf) => {
  program
    .command('generate')
    .description('Write the events of a seeded company of agents, people and services, with labelled attacks and their benign twins.')
    .option('-o, --out <file>', 'where events go, NDJSON; .gz is compressed, - is stdout', '-')
    .option('--labels <file>', 'where the ground truth goes: one line per event of an attack or twin. Events never carry it')
    .option('--seed <n>', 'same seed and options, same bytes', integer(0, 2 ** 31), 1)
    .option('--start <time>', 'first hour (default: 2026-10-01T00:00:00Z, a Thursday)', time)
    .option('--days <n>', 'length in days', number(0.05, 400), 15)
    .option('--identities <n>', 'agents, people and services together', integer(10, 200_000), 200)
    .option('--rate <n>', 'events per identity and day, mean', number(1, 100_000), 100)
    .option('--tenant <name>', 'tenant of every event', 'default')
    .option(
      '--level <level>',
      'telemetry: L0 stock OpenTelemetry, L1 with sizes and destinations, L2 with content features',
      oneOf(LEVELS),
      'L2',
    )
    .option('--attacks <kinds>', 'all, none, or kinds separated by commas', 'all')
    .option('--subtlety <n>', '1 blatant to 5 nearly invisible, or mixed', subtlety, 3)
    .option('--per-kind <n>', 'cases of each kind', integer(1, 1000), 2)
    .option(
      '--size <factor>',
      'size of attacks as a multiple of normal, or a range to draw from evenly on the log scale, like 1.2..1000 (default: by kind and subtlety)',
      numberOrRange(1.01, 10_000),
    )
    .option('--labelled-days <n>', 'the last so many days carry the attacks', number(0.05, 400))
    .option('--no-twins', 'attacks without their benign twins')
    .option('--handoffs', 'agents hand tasks on to others, under one trace', false)
    .option('--no-peer-groups', 'leave peer groups to be found from behaviour')
    .option('--arguments', 'report the arguments of calls as attributes', false)
    .option(
      '--params <file>',
      'JSON of GenerateOptions (packages/generator/src/options.ts): also single attacks, benign life and its tuning. Options on the command line win',
    )
    .option('--limit <n>', 'stop after this many events', integer(1, 1_000_000_000))
    .addHelpText(
      'after',
      examples(
        'plumbline generate --out day.jsonl.gz --labels day.labels.jsonl --days 14 --identities 200',
        'plumbline generate --attacks hijack,exfil_overnight --subtlety 4 --limit 100000 | plumbline replay -',
        'plumbline generate --size 1.2..1000 --per-kind 5 --labelled-days 6 --out curve.jsonl.gz --labels curve.labels.jsonl',
        'plumbline generate --params unseen.json --seed 977 --out unseen.jsonl.gz',
      ),
    )
    .action(async (flags: Flags, command: Command) => generate(flags, await optionsOf(flags, command), outputOf(command)))
}

function subtlety(text: string): Subtlety | 'mixed' {
  return text === 'mixed' ? 'mixed' : (integer(1, 5)(text) as Subtlety)
}

const attackPlan = async (flags: Flags): Promise<NonNullable<GenerateOptions['attacks']>> => {
  if (flags.attacks === 'none') return 'none'
  const { ATTACK_KINDS, USUAL_KINDS } = await import('@plumbline/generator')
  const kinds = flags.attacks === 'all' ? USUAL_KINDS : flags.attacks.split(',').map((k) => k.trim())
  const unknown = kinds.find((k) => !(ATTACK_KINDS as readonly string[]).includes(k))
  if (unknown !== undefined) throw usageError(`unknown attack ${unknown}; one of ${ATTACK_KINDS.join(', ')}, all, none`)
  return {
    kinds: kinds as readonly AttackKind[],
    subtlety: flags.subtlety,
    perKind: flags.perKind,
    ...(flags.size === undefined ? {} : { size: flags.size }),
    ...(flags.labelledDays === undefined ? {} : { labelledDays: flags.labelledDays }),
  }
}

const ofFlags = async (flags: Flags): Promise<GenerateOptions> => ({
  seed: flags.seed,
  ...(flags.start === undefined ? {} : { startTime: flags.start }),
  days: flags.days,
  identities: flags.identities,
  eventsPerIdentityDay: flags.rate,
  tenant: flags.tenant,
  level: flags.level,
  attacks: await attackPlan(flags),
  twins: flags.twins,
  peerGroups: flags.peerGroups,
  handoffs: flags.handoffs,
  arguments: flags.arguments,
})

const ofFile = async (path: string): Promise<GenerateOptions> => {
  checkInputs([path])
  const [text, { parseParams }] = await Promise.all([readFile(path, 'utf8'), import('@plumbline/generator')])
  try {
    return parseParams(text)
  } catch (error) {
    throw error instanceof PlumblineError ? new PlumblineError(error.code, `${path}: ${error.message}`) : error
  }
}

/** Flag that speaks of each option; those of the plan of attacks speak of it together. */
const FLAG_OF: Readonly<Record<Exclude<keyof GenerateOptions, 'attacks' | 'benign' | 'tuning'>, keyof Flags>> = {
  seed: 'seed',
  startTime: 'start',
  days: 'days',
  identities: 'identities',
  eventsPerIdentityDay: 'rate',
  tenant: 'tenant',
  level: 'level',
  twins: 'twins',
  peerGroups: 'peerGroups',
  handoffs: 'handoffs',
  arguments: 'arguments',
}
const PLAN_FLAGS: readonly (keyof Flags)[] = ['attacks', 'subtlety', 'perKind', 'size', 'labelledDays']

/** What the command line says, else the file, else the defaults of the flags. */
const optionsOf = async (flags: Flags, command: Command): Promise<GenerateOptions> => {
  const given = await ofFlags(flags)
  if (flags.params === undefined) return given
  const file = await ofFile(flags.params)
  const said = (flag: keyof Flags): boolean => command.getOptionValueSource(flag) === 'cli'
  if (file.attacks !== undefined && PLAN_FLAGS.some(said))
    throw usageError(
      `${flags.params} says which attacks there are; leave out --attacks, --subtlety, --per-kind, --size and --labelled-days, or the file's attacks`,
    )
  const won = Object.entries(FLAG_OF).flatMap(([option, flag]) => (said(flag) ? [[option, given[option as keyof GenerateOptions]]] : []))
  return { ...given, ...file, ...Object.fromEntries(won) }
}

const CHUNK_LINES = 1000

const generate = async (flags: Flags, options: GenerateOptions, output: Output): Promise<void> => {
  const generator = await import('@plumbline/generator')
  const events = openSink(flags.out)
  const labels = flags.labels === undefined ? undefined : openSink(flags.labels)
  const progress = createProgress(output, 'generating', 'events')
  const { days = flags.days, identities = flags.identities, eventsPerIdentityDay: rate = flags.rate } = options
  const expected = Math.min(flags.limit ?? Number.POSITIVE_INFINITY, Math.round(days * identities * rate))
  const counts = { events: 0, attackEvents: 0, twinEvents: 0, cases: new Set<string>(), from: Number.POSITIVE_INFINITY, to: 0 }
  let lines: string[] = []
  let truth: string[] = []
  for (const { event, label } of generator.generate(options)) {
    lines.push(generator.eventJson(event))
    counts.events++
    const at = Number(event.time)
    counts.from = Math.min(counts.from, at)
    counts.to = Math.max(counts.to, at)
    if (label !== null) {
      if (label.twin) counts.twinEvents++
      else counts.attackEvents++
      counts.cases.add(label.case)
      truth.push(
        JSON.stringify({ event: event.id, identity: event.identity.id, session: event.session ?? null, time: event.time, ...label }),
      )
    }
    if (lines.length >= CHUNK_LINES) {
      await events.write(`${lines.join('\n')}\n`)
      lines = []
    }
    progress.at(counts.events, expected)
    if (counts.events === flags.limit) break
  }
  if (lines.length > 0) await events.write(`${lines.join('\n')}\n`)
  await events.end()
  if (truth.length > 0) await labels?.write(`${truth.join('\n')}\n`)
  truth = []
  await labels?.end()
  progress.end()
  await summarize(flags, output, counts)
}

interface Counts {
  readonly events: number
  readonly attackEvents: number
  readonly twinEvents: number
  readonly cases: ReadonlySet<string>
  readonly from: number
  readonly to: number
}

const summarize = async (flags: Flags, output: Output, counts: Counts): Promise<void> => {
  const words = `${counted(counts.events, 'event')} over ${((counts.to - counts.from) / DAY_MS).toFixed(1)} days, ${counted(counts.cases.size, 'labelled case')}: ${counted(counts.attackEvents, 'event')} of attacks, ${counts.twinEvents} of benign twins`
  // Events on stdout leave no room for a summary there.
  if (flags.out === '-') return output.progress ? note(output, words) : undefined
  const { cases, ...rest } = counts
  await report(output, { ...rest, cases: cases.size, out: flags.out, labels: flags.labels ?? null }, words)
}
