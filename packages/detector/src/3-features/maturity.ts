/** 0 for a stranger, towards 1 with events and with days: 60 events in one burst are not yet a habit. */
export const maturityFrom = (learned: number, days: number): number => (learned / (learned + 60)) * (0.5 + 0.5 * (days / (days + 1.5)))
