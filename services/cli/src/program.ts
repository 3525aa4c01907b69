import { Command } from 'commander'
import type { Output } from './output.ts'
import type { Register } from './register.ts'
import { registerAcls } from './commands/acls.ts'
import { registerBackfill } from './commands/backfill.ts'
import { registerBacktest } from './commands/backtest.ts'
import { registerBackup } from './commands/backup.ts'
import { registerChanges } from './commands/changes.ts'
import { registerVerdicts } from './commands/verdicts.ts'
import { registerBlind } from './commands/blind.ts'
import { registerDataset } from './commands/dataset.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerErase } from './commands/erase.ts'
import { registerEvaluate } from './commands/evaluate.ts'
import { registerExplain } from './commands/explain.ts'
import { registerFront } from './commands/front.ts'
import { registerGenerate } from './commands/generate.ts'
import { registerIdentity } from './commands/identity.ts'
import { registerLag } from './commands/lag.ts'
import { registerMigrate } from './commands/migrate.ts'
import { registerPolicy } from './commands/policy.ts'
import { registerQuery } from './commands/query.ts'
import { registerRecorder } from './commands/recorder.ts'
import { registerRelease } from './commands/release.ts'
import { registerRepartition } from './commands/repartition.ts'
import { registerReplay } from './commands/replay.ts'
import { registerRestore } from './commands/restore.ts'
import { registerTopics } from './commands/topics.ts'
import { registerTrain } from './commands/train.ts'
import { registerUp } from './commands/up.ts'
import { registerWorker } from './commands/worker.ts'

const COMMANDS: readonly Register[] = [
  registerUp,
  registerFront,
  registerWorker,
  registerRecorder,
  registerReplay,
  registerBackfill,
  registerEvaluate,
  registerExplain,
  registerBlind,
  registerVerdicts,
  registerBacktest,
  registerGenerate,
  registerTrain,
  registerRelease,
  registerDataset,
  registerQuery,
  registerPolicy,
  registerChanges,
  registerErase,
  registerMigrate,
  registerTopics,
  registerLag,
  registerIdentity,
  registerAcls,
  registerBackup,
  registerRestore,
  registerRepartition,
  registerDoctor,
]

const outputOf = (command: Command): Output => {
  const { json, progress } = command.optsWithGlobals<{ json?: boolean; progress?: boolean }>()
  return {
    json: json === true,
    out: process.stdout,
    err: process.stderr,
    progress: progress ?? process.stderr.isTTY === true,
  }
}

export const createProgram = async (argv: readonly string[]): Promise<Command> => {
  const program = new Command('plumbline')
    .description('Learns how each AI agent and person normally behaves and says, with reasons, when one of them departs from it.')
    .version('0.1.0')
    .option('--json', 'results as JSON on stdout')
    .option('--progress', 'show progress on stderr even when it is not a terminal')
    .option('--no-progress', 'never show progress')
    .showHelpAfterError('(plumbline <command> --help shows the options)')
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong command line or configuration, 3 something needed does not answer.')
    .exitOverride()
  for (const register of COMMANDS) {
    const prepare = register(program, outputOf)
    if (prepare !== undefined && argv.includes(program.commands.at(-1)?.name() ?? '')) await prepare()
  }
  for (const command of program.commands) inherit(command)
  return program
}

/** Sub-commands throw instead of leaving the process, and take the common options in any place. */
const inherit = (command: Command): void => {
  command.exitOverride()
  for (const sub of command.commands) inherit(sub)
}
