/**
 * The name under which messages mention a setting: that of the environment variable or, where `SETTING_PREFIX` is set, that of the
 * Ansible variable which the operator edits (`STAFF_EMAILS` is `map_app_staff_emails` there).
 */
export function settingName(name: string, env: Record<string, string | undefined> = process.env): string {
  const prefix = env['SETTING_PREFIX'];
  return prefix ? prefix + name.toLowerCase() : name;
}
