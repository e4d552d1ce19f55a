import type { Knex } from 'knex';

export type StaffStore = ReturnType<typeof staffStore>;

/** The lifetime of a session: a working day. After that, Google is asked again. */
export const sessionHours = 12;

/**
 * The staff list and its sessions. Addresses are in lower case; `fixed` contains those that are staff without a row.
 */
export function staffStore(db: Knex, fixed: ReadonlySet<string>) {
  return {
    async isStaff(email: string): Promise<boolean> {
      return fixed.has(email) || (await db('staff').where({ email }).first('email')) !== undefined;
    },

    /** Begins a session and returns its id. */
    async begin(email: string): Promise<string> {
      const { rows } = await db.raw<{ rows: [{ id: string }] }>(
        `with ended as (delete from session where expires_at <= now())
         insert into session (email, expires_at) values (?, now() + make_interval(hours => ?)) returning id`,
        [email, sessionHours],
      );
      return rows[0].id;
    },

    /** Returns the address of a session and whether it is on the staff list; undefined if the session has ended. */
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

    /** Adds an address to the staff list. Returns whether it was new. */
    async add(email: string): Promise<boolean> {
      return (await db('staff').insert({ email }).onConflict('email').ignore().returning('email')).length > 0;
    },

    /**
     * Removes an address from the staff list and ends all its sessions. Returns whether the address or a session
     * existed.
     */
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
