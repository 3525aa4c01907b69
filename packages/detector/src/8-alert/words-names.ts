/** Invisible, controlling or direction-changing characters, and lone surrogates. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu
const BREAKS = /[\t\n\r\u0085\u2028\u2029]/g
const PLAIN = /^[\p{L}\p{N}\p{M}_.:@/+*#=~&%()-]+$/u
const ENDS_SENTENCE = /[.:]$/

const visible = (value: string, maxChars: number): string => {
  const points = [...value.replace(BREAKS, ' ').replace(UNSEEN, '').replace(/ {2,}/g, ' ').trim()]
  return points.length > maxChars ? `${points.slice(0, maxChars - 1).join('')}…` : points.join('')
}

const quoted = (text: string): string => `“${text.replace(/["“”«»]/g, "'")}”`

/**
 * A value from outside made safe to stand in a sentence: unseen characters out, length capped, and put in quotation marks
 * unless it is plain words, at most `maxWords` of them, so that no value can pass for words of ours.
 * Events' values get one word; names out of the policy, which its author vouches for, get more.
 */
export const nameText = (value: string, maxChars = 80, maxWords = 1): string => {
  const text = visible(value, maxChars)
  if (text === '') return '(unnamed)'
  const words = text.split(' ')
  return words.length <= maxWords && words.every((w) => PLAIN.test(w) && !ENDS_SENTENCE.test(w)) ? text : quoted(text)
}

/** A name out of the policy or of a credential: up to five plain words stand without quotation marks. */
export const labelText = (value: string, maxChars = 80): string => nameText(value, maxChars, 5)

/** Free text of the policy's author, always in quotation marks; empty when nothing visible is left. */
export const proseText = (value: string, maxChars = 160): string => {
  const text = visible(value, maxChars).replace(/[.\s]+$/, '')
  return text === '' ? '' : quoted(text)
}

/** Makes one sentence: first letter raised, exactly one full stop. */
export const sentence = (text: string): string => {
  const body = asWritten(text)
  return `${body.slice(0, 1).toUpperCase()}${body.slice(1)}`
}

/** One sentence whose first word is a name and keeps its own case. */
export const asWritten = (text: string): string => {
  const body = text.trim().replace(/[.\s]+$/, '')
  return body === '' ? '' : `${body}.`
}
