/** Browsers refuse a cookie with this prefix unless it is Secure, has no domain and covers all paths, so no other host can set it. */
export const sessionCookie = '__Host-session';
