import { connectDatabase } from './database.ts';

const users = [
  { id: 1, name: 'Ada', email: 'ada@example.com' },
  { id: 2, name: 'Grace', email: 'grace@example.com' },
  { id: 3, name: 'Edsger', email: 'edsger@example.com' },
  { id: 4, name: 'Barbara', email: 'barbara@example.com' },
  { id: 5, name: 'Tony', email: 'tony@example.com' },
];

const friends = [
  [1, 2],
  [1, 3],
  [1, 4],
  [2, 5],
] as const;

const walkers = [
  { id: 1, name: 'Margaret', email: 'margaret@example.com', phone: '+15550101' },
  { id: 2, name: 'Dennis', email: 'dennis@example.com', phone: '+15550102' },
  { id: 3, name: 'Radia', email: 'radia@example.com', phone: null },
  { id: 4, name: 'Ken', email: 'ken@example.com', phone: null },
];

/**
 * Adds sample users, friendships and dog walkers. Existing rows stay unchanged.
 *
 * @param url PostgreSQL URL.
 * @returns the number of users in the sample.
 */
export async function loadSampleUsers(url: string): Promise<number> {
  const db = connectDatabase({ url, name: 'warren sample', connections: 1 });
  const friendships = friends.flatMap(([one, other]) => [
    { user_id: one, friend_id: other },
    { user_id: other, friend_id: one },
  ]);
  try {
    await db
      .insertInto('users')
      .values(users)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    await db
      .insertInto('friendships')
      .values(friendships)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    await db
      .insertInto('walkers')
      .values(walkers)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    return users.length;
  } finally {
    await db.destroy();
  }
}
