import type { Writable } from 'node:stream'
import type { Alert } from '@plumbline/schemas'
import { humanLine, laterLine } from './text.ts'
import type { AlertSink } from './sink.ts'

/** Alerts remembered as told; beyond it the oldest is forgotten, and told in full when it goes on. */
const MOST_TOLD = 10_000

/**
 * One human line per alert, to a terminal or a log collector: the first that is heard of it in full, what becomes of it in
 * a few words. Waits for a slow reader instead of piling up memory.
 */
export const createStdoutSink = (out: Writable = process.stdout): AlertSink => {
  const told = new Set<string>()
  const lineOf = (alert: Alert): string => {
    const later = told.has(alert.id) || alert.activity === 'close'
    if (alert.activity === 'close') told.delete(alert.id)
    else told.add(alert.id)
    if (told.size > MOST_TOLD) told.delete(told.values().next().value as string)
    return later ? laterLine(alert) : humanLine(alert)
  }
  return {
    name: 'stdout',
    async deliver(alerts) {
      for (const alert of alerts)
        if (!out.write(`${lineOf(alert)}\n`)) await new Promise<void>((resolve) => void out.once('drain', resolve))
    },
    async close() {},
  }
}
