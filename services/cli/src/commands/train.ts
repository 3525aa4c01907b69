import { setTimeout as sleep } from 'node:timers/promises'
import { TrainAnswer, type TrainRequest } from '@plumbline/schemas'
import type { Command } from 'commander'
import { type InstanceFlags, openInstance } from '../instance/access.ts'
import { EXIT } from '../exit.ts'
import { report } from '../output.ts'
import { createProgress } from '../progress.ts'
import { examples, type Register } from '../register.ts'

interface Flags extends InstanceFlags {
  readonly tenant: string
}

const PAUSE_MS = 100

export const registerTrain: Register = (program, outputOf) => {
  program
    .command('train')
    .description('Train a tenant’s model on what was recorded so far, sign it, and put it into use, now instead of when it is due.')
    .option('--tenant <name>', 'whose model', 'default')
    .option('--data-dir <folder>', 'of the instance, running or not (default: PLUMBLINE_DATA_DIR or data)')
    .option('--config <file>', 'when none runs: options of the instance in YAML or JSON, as for plumbline up')
    .addHelpText('after', examples('plumbline train', 'plumbline train --tenant acme --data-dir /var/lib/plumbline --json'))
    .action(async (flags: Flags, command: Command) => {
      const output = outputOf(command)
      const progress = createProgress(output, 'training', 'events')
      const instance = await openInstance(flags, output, 'data')
      try {
        progress.phase(`training the model of ${flags.tenant}`)
        const body = JSON.stringify({ tenant: flags.tenant } satisfies TrainRequest)
        let answer = TrainAnswer.parse(await instance.operator.post('/v1/operator/train', body))
        while (answer.state === 'running') {
          await sleep(PAUSE_MS)
          answer = TrainAnswer.parse(await instance.operator.post('/v1/operator/train', body))
        }
        progress.end()
        await report(output, { tenant: flags.tenant, ...answer }, wordsOf(flags.tenant, answer))
        if (answer.state === 'held') process.exitCode = EXIT.failure
      } finally {
        progress.end()
        await instance.close()
      }
    })
}

type Trained = Exclude<TrainAnswer, { state: 'running' }>

const wordsOf = (tenant: string, made: Trained): string => {
  if (made.state === 'held') {
    const head = `Release ${made.releaseId} of tenant ${tenant} was held back, the one before it stays in force:`
    return [
      head,
      ...made.reasons.map((words) => `  ${words}`),
      `plumbline release promote ${made.releaseId} puts it into use all the same.`,
    ].join('\n')
  }
  return made.modelled
    ? `Release ${made.releaseId} of tenant ${tenant} is in force: a model, after ${made.events} events.`
    : `Release ${made.releaseId} of tenant ${tenant} is in force: statistics of peers only. ${made.events} events are too few for a model; train again when there are more.`
}
