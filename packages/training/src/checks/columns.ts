import { type Dataset, type Finding, listed, percent, rowCount } from './dataset.ts'

/** Numbers that are none: whoever made the table lost something, and a net learns nothing from them. */
export const checkNumbers = ({ names, rows }: Dataset): readonly Finding[] => {
  const bad = new Uint32Array(names.length)
  for (let i = 0; i < rows.length; i++) if (!Number.isFinite(rows[i]!)) bad[i % names.length]!++
  const cells = bad.reduce((sum, n) => sum + n, 0)
  if (cells === 0) return []
  const columns = names.filter((_, c) => bad[c]! > 0)
  return [
    {
      check: 'numbers',
      severity: 'severe',
      words: `${cells} values are missing or not finite (${percent(cells / rows.length)}), in ${listed(columns)}.`,
      columns,
      numbers: { cells, share: cells / rows.length },
    },
  ]
}

/** Row and column of each value that never changes. */
const isConstant = ({ names, rows }: Dataset, column: number): boolean => {
  const first = rows[column]!
  for (let i = column; i < rows.length; i += names.length) if (rows[i]! !== first) return false
  return true
}

/** Columns that never change say nothing. That all of them do so means there is nothing to learn. */
export const checkConstant = (data: Dataset): readonly Finding[] => {
  if (rowCount(data) < 2) return []
  const columns = data.names.filter((_, c) => isConstant(data, c))
  if (columns.length === 0) return []
  const all = columns.length === data.names.length
  return [
    {
      check: 'constant',
      severity: all ? 'severe' : 'note',
      words: all
        ? 'No column ever changes: there is nothing to learn.'
        : `${columns.length} of ${data.names.length} columns never change: ${listed(columns)}. They teach nothing.`,
      columns,
      numbers: { columns: columns.length, of: data.names.length },
    },
  ]
}
