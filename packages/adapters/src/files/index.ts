export { detect, FILE_FORMATS, type FileFormat, type FileRecord, type ReadOptions, readEvents } from './read.ts'
export { openBytes, type OpenOptions } from './open.ts'
