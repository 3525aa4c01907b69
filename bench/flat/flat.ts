// Cost and memory per event and identity as identities grow; a flood of new identities under a cap.
import type { Measured } from '../lib/result.ts'
import { flood } from './flood.ts'
import { growth } from './growth.ts'

export const flat = async (): Promise<Measured> => {
  const g = await growth()
  const f = await flood()
  return {
    title: 'Flat cost and bounded memory',
    how: [...g.how, ...f.how],
    values: { ...g.values, flood: f.values },
    bars: [...g.bars, ...f.bars],
    tables: [...g.tables, ...f.tables],
  }
}
