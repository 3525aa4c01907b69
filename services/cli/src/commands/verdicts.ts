import { VerdictSummary } from '@plumbline/schemas'
import type { Command } from 'commander'
import { NAMED, type NamedFlags, namedApi } from '../instance/named.ts'
import { columns, type Output, report } from '../output.ts'
import { examples, type Register } from '../register.ts'

interface Flags extends NamedFlags {
  readonly tenant?: string
  readonly days: string
}

export const registerVerdicts: Register = (program, outputOf) => {
  program
    .command('verdicts')
    .description('How many delivered alerts were judged and as what, and the share of them that was no finding, over all and by kind.')
    .option('--tenant <name>', 'whose alerts (default: all that the token may see)')
    .option('--days <n>', 'alerts last seen within so many days', '30')
    .option(...NAMED.to)
    .option(...NAMED.token)
    .option(...NAMED.dataDir)
    .addHelpText('after', examples('plumbline verdicts', 'plumbline verdicts --days 90 --json'))
    .action(async (flags: Flags, command: Command) => verdicts(flags, outputOf(command)))
}

const verdicts = async ({ tenant, days, ...flags }: Flags, output: Output): Promise<void> => {
  const { api, close } = await namedApi(flags, output)
  try {
    const query = new URLSearchParams({ days, ...(tenant !== undefined && { tenant }) })
    const summary = VerdictSummary.parse(await api.get(`/v1/verdicts?${query.toString()}`))
    await report(output, summary, wordsOf(summary))
  } finally {
    await close()
  }
}

type Counts = VerdictSummary['all']
const percent = (share: number): string => `${Math.round(100 * share)} %`
const falseOf = ({ falseDiscovery }: Counts): string =>
  falseDiscovery === null ? '–' : `${percent(falseDiscovery.rate)} (${percent(falseDiscovery.low)} to ${percent(falseDiscovery.high)})`

const wordsOf = ({ since, all, families }: VerdictSummary): string => {
  const line = (name: string, c: Counts): string[] => [
    name,
    String(c.alerts),
    String(c.judged),
    String(c.confirmed),
    String(c.safe),
    String(c.dismissed),
    falseOf(c),
  ]
  const from = new Date(since).toISOString().slice(0, 10)
  return [
    `Alerts delivered since ${from}, and what was said of them. No finding: safe or dismissed, of those judged, with its 95 % interval.`,
    columns([
      ['kind', 'alerts', 'judged', 'confirmed', 'safe', 'dismissed', 'no finding'],
      ...families.map((f) => line(f.family, f)),
      line('all', all),
    ]),
  ].join('\n')
}
