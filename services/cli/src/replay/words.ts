import type { Alert } from '@plumbline/schemas'

/** An alert as a person reads it: severity and time, then the words. */
export const alertWords = ({ severity, score, lastSeen, text, id, techniques }: Alert): string => {
  const head = `${severity.toUpperCase()}  ${new Date(lastSeen).toISOString().replace('T', ' ').slice(0, 16)} UTC  ${text.headline}`
  const body = [text.normal, text.why, text.certainty, `First: ${text.firstStep}`].filter((line) => line !== '' && line !== 'First: ')
  const technique = techniques.map((t) => `${t.uid} ${t.name}`).join(', ')
  return [
    head,
    ...body.map((line) => `  ${line}`),
    `  score ${score.toFixed(0)} of 100${technique === '' ? '' : `; ${technique}`}; ${id}`,
  ].join('\n')
}
