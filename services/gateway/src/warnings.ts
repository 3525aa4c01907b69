import { EVENT_FIELDS, INGEST_WARNINGS, type IngestAnswer, nearestName } from '@plumbline/schemas'

type Warning = NonNullable<IngestAnswer['warnings']>[number]

/** Collects what a sender should know of events that were taken all the same: each field once, and so many at most. */
export const createWarnings = () => {
  const byField = new Map<string, Warning>()
  return {
    moved(index: number, fields: readonly string[]): void {
      for (const field of fields) {
        if (byField.size >= INGEST_WARNINGS) return
        if (!byField.has(field)) byField.set(field, { index, field, message: wordsFor(field) })
      }
    },
    /** Part of the answer. */
    get answer(): Pick<IngestAnswer, 'warnings'> {
      return byField.size === 0 ? {} : { warnings: [...byField.values()] }
    },
  }
}

const wordsFor = (field: string): string => {
  const at = field.lastIndexOf('.')
  const near = nearestName(field.slice(at + 1), EVENT_FIELDS.get(field.slice(0, Math.max(0, at))) ?? [])
  const meant = near === undefined ? '' : `; did you mean ${field.slice(0, at + 1)}${near}?`
  return `is not a field of an event and was kept as an attribute${meant}`
}
