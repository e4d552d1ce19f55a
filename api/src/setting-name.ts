/**
 * Returns the name of a setting in messages: the environment variable or, if `SETTING_PREFIX` is set, the Ansible
 * variable that the operator edits (`STAFF_EMAILS` is `map_app_staff_emails` there).
 */
export function settingName(name: string, env: Record<string, string | undefined> = process.env): string {
  const prefix = env['SETTING_PREFIX'];
  return prefix ? prefix + name.toLowerCase() : name;
}
