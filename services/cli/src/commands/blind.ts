import { BlindSpotAnswer } from '@plumbline/schemas'
import type { Command } from 'commander'
import { NAMED, type NamedFlags, namedApi } from '../instance/named.ts'
import { type Output, report } from '../output.ts'
import { examples, type Register } from '../register.ts'

interface Flags extends NamedFlags {
  readonly tenant?: string
  readonly last?: boolean
}

export const registerBlind: Register = (program, outputOf) => {
  program
    .command('blind')
    .description(
      'From how much in an hour on each kind of deviation of one identity would alert, and what would not: tried now on a copy of its baseline.',
    )
    .argument('<identity>', 'id of the person, agent or service, as events say it')
    .option('--tenant <name>', "whose identity (default: the token's own, else default)")
    .option('--last', 'what was found last, without trying')
    .option(...NAMED.to)
    .option(...NAMED.token)
    .option(...NAMED.dataDir)
    .addHelpText(
      'after',
      `\nNothing is sent, scored or learned by it. What it can and cannot tell: docs/blind-spots.md.${examples('plumbline blind support-bot', 'plumbline blind alice@acme.example --tenant acme --json')}`,
    )
    .action(async (identity: string, flags: Flags, command: Command) => blind(identity, flags, outputOf(command)))
}

const blind = async (identity: string, { tenant, last = false, ...flags }: Flags, output: Output): Promise<void> => {
  const { api, close } = await namedApi(flags, output)
  try {
    const query = new URLSearchParams({ identity, ...(tenant !== undefined && { tenant }), ...(!last && { measure: 'true' }) })
    const { measured } = BlindSpotAnswer.parse(await api.get(`/v1/blind-spots?${query.toString()}`))
    await report(output, { measured }, wordsOf(identity, measured))
  } finally {
    await close()
  }
}

const wordsOf = (identity: string, measured: BlindSpotAnswer['measured']): string => {
  if (measured === null) return `${identity} was not tried yet; without --last it is.`
  const at = new Date(measured.measuredAt).toISOString().replace('T', ' ').slice(0, 19)
  return [
    `${measured.identity} (tenant ${measured.tenant}), tried at ${at} under release ${measured.releaseId}:`,
    ...measured.spots.map(({ text }) => `  ${text}`),
  ].join('\n')
}
