/**
 * The child process that is ClickHouse: runs the engine's own `clickhouse local` entry point out of the library that
 * the `chdb` package ships, and opens its HTTP interface. Arguments are passed on to the engine.
 * It ends when its parent goes away (stdin closes) or when the holding query is killed.
 *
 * ffi-rs calls on the thread's own stack; a binding that switches stacks trips the engine's stack guard.
 */
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'

const require = createRequire(import.meta.url)

/** The engine holds the main thread, so a second one watches the parent. The engine survives SIGKILL without loss. */
const watchParent = (watching: () => void): void => {
  const watcher = new Worker(
    `const { Socket } = require('node:net')
     const end = () => process.kill(process.pid, 'SIGKILL')
     new Socket({ fd: 0, readable: true }).on('end', end).on('error', end).resume()
     require('node:worker_threads').parentPort.postMessage('watching')`,
    { eval: true, stdin: false },
  )
  watcher.once('message', watching)
}

const main = (): number => {
  const { open, load, DataType } = require('ffi-rs') as typeof import('ffi-rs')
  const { resolveLibchdb } = require('chdb/libchdb') as typeof import('chdb/libchdb')
  open({ library: 'chdb', path: resolveLibchdb().path })
  const call = (funcName: string, retType: number, paramsType: number[], paramsValue: unknown[]): unknown =>
    load({ library: 'chdb', funcName, retType, paramsType, paramsValue } as Parameters<typeof load>[0])
  // The holding query keeps the session open; ending it shuts the engine down in good order.
  const hold = 'SYSTEM START LISTEN HTTP; SELECT sleepEachRow(0.2) FROM system.numbers FORMAT Null SETTINGS max_block_size = 1'
  const argv = ['clickhouse-local', ...process.argv.slice(2), '--query', hold]
  const result = call('chdb_query_cmdline', DataType.U64, [DataType.I32, DataType.StringArray], [argv.length, argv])
  const failed = result ? call('chdb_result_error', DataType.U64, [DataType.U64], [result]) : 0
  if (!failed) return 0
  const message = String(call('chdb_result_error', DataType.String, [DataType.U64], [result]))
  if (message.includes('QUERY_WAS_CANCELLED')) return 0
  process.stderr.write(`${message}\n`)
  return 1
}

watchParent(() => process.exit(main()))
