/**
 * Classes of SQLSTATE (PostgreSQL, appendix A) that are about the server and not about the query: connection, authorization,
 * catalog name, resources, operator intervention, system. Every database that speaks SQL has them. A query that took too
 * long (57014) is one of them, as a function that is late is: it may have waited for a lock or a slow disk.
 */
const serverStates = new Set(['08', '28', '3D', '53', '57', '58']);

/** States of other classes that are about the server, its settings or other transactions. */
const otherServerStates = new Set([
  // After a failover, the connection leads to a server that takes no writes.
  '25006',
  // The session was idle in its transaction for too long, because its process was frozen, or the transaction took too long.
  '25P03',
  '25P04',
  // Conflicts: the transaction succeeds when it is run again.
  '40001',
  '40003',
  '40P01',
  '55P03',
  // The login lacks a right, which its operator can grant.
  '42501',
  // Damaged data and indexes. The rest of their class is not here: extensions raise XX000 for values that they do not take.
  'XX001',
  'XX002',
]);

/** Whether a code is the SQLSTATE of a server that is unavailable, or of a conflict, and not of a query that is wrong. */
export function isServerState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && (otherServerStates.has(code) || serverStates.has(code.slice(0, 2)));
}
