import { setTimeout as sleep } from 'node:timers/promises'
import { EraseAnswer, type EraseRequest } from '@plumbline/schemas'
import type { Command } from 'commander'
import { type InstanceFlags, openInstance } from '../instance/access.ts'
import { report } from '../output.ts'
import { createProgress } from '../progress.ts'
import { examples, type Register } from '../register.ts'

interface Flags extends InstanceFlags {
  readonly tenant: string
}

const PAUSE_MS = 100

export const registerErase: Register = (program, outputOf) => {
  program
    .command('erase')
    .description(
      'Forget one identity: its baseline, its events, its alerts and what explains them. What it does later counts as of somebody new.',
    )
    .argument('<identity>', 'id of the person, agent or service, as events say it')
    .option('--tenant <name>', 'whose identity', 'default')
    .option('--data-dir <folder>', 'of the instance, running or not (default: PLUMBLINE_DATA_DIR or data)')
    .option('--config <file>', 'when none runs: options of the instance in YAML or JSON, as for plumbline up')
    .addHelpText(
      'after',
      `\nNot deleted: alerts already delivered (alerts.ndjson, webhook), the id in events of others, backups; see docs/security.md.${examples('plumbline erase u-4821', 'plumbline erase alice@acme.example --tenant acme --data-dir /var/lib/plumbline')}`,
    )
    .action(async (identity: string, flags: Flags, command: Command) => {
      const output = outputOf(command)
      const progress = createProgress(output, 'erasing', 'records')
      const instance = await openInstance(flags, output, 'data')
      try {
        progress.phase(`erasing ${identity} of tenant ${flags.tenant}`)
        const body = JSON.stringify({ tenant: flags.tenant, identity } satisfies EraseRequest)
        const ask = async (): Promise<EraseAnswer> => EraseAnswer.parse(await instance.operator.post('/v1/operator/erase', body))
        let answer = await ask()
        for (; answer.state === 'running'; answer = await ask()) await sleep(PAUSE_MS)
        progress.end()
        const words = `Erased ${identity} of tenant ${flags.tenant}: ${answer.records} records of the log, and its rows in the store.`
        await report(output, { tenant: flags.tenant, identity, ...answer }, words)
      } finally {
        progress.end()
        await instance.close()
      }
    })
}
