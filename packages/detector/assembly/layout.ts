/** Addresses and numbers that both sides of the scanner know. */

// Addresses as in src/1-decode/shapes.ts and src/record.ts.
export const STARTS: usize = 1024
export const ENDS: usize = 1120
export const LOWS: usize = 1216
export const HIGHS: usize = 1312
export const NUMBERS: usize = 1408
export const KIND_AT: usize = 1512
export const OUTCOME_AT: usize = 1516
export const PROVENANCE_AT: usize = 1520
export const UNTRUSTED_AT: usize = 1524
export const REQUIRED: usize = 1536
export const ENUMERATIONS: usize = 1600
export const ATTRIBUTES: usize = 1792
export const TABLE: usize = 2048
export const KEYS: usize = 3072
export const INPUT: usize = 16384

// Fields and kinds of values that are treated in a way of their own; src/record.ts and src/1-decode/shapes.ts.
export const FIELDS: i32 = 24
export const DELEGATE: i32 = 10
export const IP: i32 = 19
export const COUNTRY: i32 = 21
export const TIME: i32 = 0
export const ABSENT: i32 = 255

export const TIME_MIN: i64 = 946684800000
export const TIME_MAX: f64 = 4102444800000

export const QUOTE: u32 = 34
export const COMMA: u32 = 44
export const POINT: u32 = 46
export const COLON: u32 = 58
export const SPACE: u32 = 32
