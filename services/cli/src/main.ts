import { CommanderError } from 'commander'
import { describeError } from './output.ts'
import { EXIT, exitCodeOf } from './exit.ts'
import { endWithLauncher } from './launcher.ts'
import { createProgram } from './program.ts'

/** `plumbline … | head` closes our output; that ends the work and is no error. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  throw error
})

const main = async (argv: readonly string[]): Promise<number> => {
  try {
    const program = await createProgram(argv)
    await program.parseAsync([...argv], { from: 'user' })
    return process.exitCode === undefined ? EXIT.ok : Number(process.exitCode)
  } catch (error) {
    // Help and version end commander with code 0, a wrong command line with its own words already printed.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    process.stderr.write(`${describeError(error, argv.includes('--json'))}\n`)
    return exitCodeOf(error)
  }
}

/** What a command that failed leaves open, like a connection that does not end, keeps the process this long at most. */
const LINGER_MS = 2_000

endWithLauncher()
process.exitCode = await main(process.argv.slice(2))
if (process.exitCode !== EXIT.ok) setTimeout(() => process.exit(), LINGER_MS).unref()
