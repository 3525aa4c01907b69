import { setTimeout as sleep } from 'node:timers/promises'
import type { Acl, AclOperation } from '@plumbline/adapters/kafka'
import kafkajs, { type AclEntry, type Admin } from 'kafkajs'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs

const OPERATIONS: Readonly<Record<AclOperation, number>> = {
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
  Create: AclOperationTypes.CREATE,
  Delete: AclOperationTypes.DELETE,
  Describe: AclOperationTypes.DESCRIBE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
}
const RESOURCES: Readonly<Record<Acl['resource'], number>> = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  'transactional-id': AclResourceTypes.TRANSACTIONAL_ID,
}
const PATTERNS: Readonly<Record<Acl['pattern'], number>> = {
  literal: ResourcePatternTypes.LITERAL,
  prefixed: ResourcePatternTypes.PREFIXED,
}

/** Gives a user exactly these rights, from wherever it comes. */
export const grant = async (admin: Admin, user: string, acls: readonly Acl[]): Promise<void> => {
  const acl: AclEntry[] = acls.flatMap(({ resource, name, pattern, operations }) =>
    operations.map((operation) => ({
      resourceType: RESOURCES[resource],
      resourceName: name,
      resourcePatternType: PATTERNS[pattern],
      principal: `User:${user}`,
      host: '*',
      operation: OPERATIONS[operation],
      permissionType: AclPermissionTypes.ALLOW,
    })),
  )
  if (acl.length === 0) return
  await admin.createAcls({ acl })
  // Brokers acknowledge rights before they go by them.
  while ((await countOf(admin, user)) < acl.length) await sleep(20)
}

const countOf = async (admin: Admin, user: string): Promise<number> => {
  const { resources } = await admin.describeAcls({
    resourceType: AclResourceTypes.ANY,
    resourcePatternType: ResourcePatternTypes.ANY,
    principal: `User:${user}`,
    operation: AclOperationTypes.ANY,
    permissionType: AclPermissionTypes.ANY,
  })
  return resources.reduce((sum, { acls }) => sum + acls.length, 0)
}
