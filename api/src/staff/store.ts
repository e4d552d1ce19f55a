import type { Knex } from 'knex';

export type StaffStore = ReturnType<typeof staffStore>;

/** How long a sign-in lasts: a working day, then Google is asked again. */
export const sessionHours = 12;

/** Who is staff, and their sessions. Addresses are in lower case; `fixed` are those that are staff without a row. */
export function staffStore(db: Knex, fixed: ReadonlySet<string>) {
  return {
    async isStaff(email: string): Promise<boolean> {
      return fixed.has(email) || (await db('staff').where({ email }).first('email')) !== undefined;
    },

    /** Begins a session and answers its id. */
    async begin(email: string): Promise<string> {
      const { rows } = await db.raw<{ rows: [{ id: string }] }>(
        `with ended as (delete from session where expires_at <= now())
         insert into session (email, expires_at) values (?, now() + make_interval(hours => ?)) returning id`,
        [email, sessionHours],
      );
      return rows[0].id;
    },

    /** Whose session it is, and whether that is one of the staff; undefined if it has ended. */
    async find(id: string): Promise<{ email: string; isStaff: boolean } | undefined> {
      const { rows } = await db.raw<{ rows: { email: string; listed: boolean }[] }>(
        `select email, exists (select from staff where staff.email = session.email) as listed
         from session where id = ? and expires_at > now()`,
        [id],
      );
      const [session] = rows;
      return session && { email: session.email, isStaff: session.listed || fixed.has(session.email) };
    },

    async end(id: string): Promise<void> {
      await db('session').where({ id }).delete();
    },

    /** Makes somebody staff and answers whether that is new. */
    async add(email: string): Promise<boolean> {
      return (await db('staff').insert({ email }).onConflict('email').ignore().returning('email')).length > 0;
    },

    /** Ends somebody's being staff, and all sessions at once; answers whether there was anything to end. */
    async remove(email: string): Promise<boolean> {
      const { rows } = await db.raw<{ rows: [{ removed: boolean }] }>(
        `with ended as (delete from session where email = ?), removed as (delete from staff where email = ? returning email)
         select exists (select from removed) as removed`,
        [email, email],
      );
      return rows[0].removed;
    },

    list: () => db('staff').orderBy('email').pluck('email'),
  };
}
