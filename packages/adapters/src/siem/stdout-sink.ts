import type { Writable } from 'node:stream'
import { humanLine } from './text.ts'
import type { AlertSink } from './sink.ts'

/** One human line per alert, to a terminal or a log collector. Waits for a slow reader instead of piling up memory. */
export const createStdoutSink = (out: Writable = process.stdout): AlertSink => ({
  name: 'stdout',
  async deliver(alerts) {
    for (const alert of alerts)
      if (!out.write(`${humanLine(alert)}\n`)) await new Promise<void>((resolve) => void out.once('drain', resolve))
  },
  async close() {},
})
