import { FEATURES } from '@plumbline/schemas'

/** Index of a feature by its catalogue name; a name that is not in the catalogue fails at load, not in the hot path. */
export const indexOf = (name: string): number => {
  const i = FEATURES.findIndex((f) => f.name === name)
  if (i < 0) throw new RangeError(`the catalogue has no feature ${name}`)
  return i
}
