// From scores to alerts under a daily ceiling, for detectors that only score: as our own alerts are counted, with all the benefit of doubt.

/** A scored row of a judged day, in the order of the stream. */
export interface RatedRow {
  /** UTC day of the epoch. */
  readonly day: number
  /** Identity and session, or identity and hour where there is none. */
  readonly session: number
  /** Minus infinity never alerts. */
  readonly score: number
  /** Place of the case that the row belongs to, -1 outside all. */
  readonly case: number
  /** A key event of an attack, or any event of a twin: what a case is caught by. */
  readonly tells: boolean
}

/** One alert: a session with those of its rows that reached the bar of their day. */
interface AlertGroup {
  readonly day: number
  readonly rows: RatedRow[]
}

export interface CeilingOutcome {
  /** Cases of which a delivered alert holds a row that tells of them; twins too. */
  readonly caught: ReadonlySet<number>
  /** Per judged day: new alerts, and those of them that hold no row of any case. */
  readonly days: readonly { readonly delivered: number; readonly false: number }[]
}

/**
 * The alerts of the threshold of each day that is passed by `perDay` sessions and no more: set when the day is over, as nobody
 * could while it lasts. A session that has alerted goes on as the same alert and takes no further place, on the next day either.
 * Of rows with the bar's own score, the earlier come first.
 */
export const alertsAtCeiling = (rows: readonly RatedRow[], perDay: number): ReadonlyMap<number, AlertGroup> => {
  const groups = new Map<number, AlertGroup>()
  const days = Map.groupBy(
    rows.filter((row) => row.score > Number.NEGATIVE_INFINITY),
    (row) => row.day,
  )
  for (const day of [...days.keys()].sort((a, b) => a - b)) {
    let left = perDay
    for (const row of days.get(day)!.toSorted((a, b) => b.score - a.score)) {
      const known = groups.get(row.session)
      if (known !== undefined) known.rows.push(row)
      else if (left-- > 0) groups.set(row.session, { day, rows: [row] })
      else break
    }
  }
  return groups
}

/** Surroundings of an attack make an alert neither false nor a catch, as in the count of our own. */
export const outcomeAtCeiling = (rows: readonly RatedRow[], perDay: number): CeilingOutcome => {
  const days = new Map(rows.map(({ day }) => [day, { delivered: 0, false: 0 }]))
  const caught = new Set<number>()
  for (const group of alertsAtCeiling(rows, perDay).values()) {
    const day = days.get(group.day)!
    day.delivered++
    if (group.rows.every((row) => row.case < 0)) day.false++
    for (const row of group.rows) if (row.tells) caught.add(row.case)
  }
  return { caught, days: [...days.values()] }
}
