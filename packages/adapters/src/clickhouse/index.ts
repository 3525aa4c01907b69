export { startEngine, engineProblem, randomPasswords, type Engine, type EngineOptions } from './engine.ts'
export { DATABASE, type EngineRole } from './engine-config.ts'
export { connect, type ConnectOptions, type InsertOptions, type Store } from './client.ts'
export { checkMigrated, migrate, migrationsDir, readMigrations, type Migration, type Retention } from './migrate.ts'
