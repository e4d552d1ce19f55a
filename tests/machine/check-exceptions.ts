/**
 * Where `--check --diff` on a fresh machine and the real run after it differ, and why no check could know better.
 * One that no longer occurs fails the test: take it out.
 */
export const exceptions: Record<string, string> = {
  'not named by the check: Listen for who asks for metrics':
    'systemd knows nothing of a unit that is not there yet.',
  'not named by the check: Run the log rotation timer': 'systemd has no such timer yet.',
  'not named by the check: Load the rules at boot': 'systemd knows nothing of a unit that is not there yet.',
  'not named by the check: Run the timer that restarts outdated services':
    'systemd knows nothing of a unit that is not there yet.',
  'named by the check only: Install what Node needs':
    'A package that an earlier task installs brings it along, and a check installs none.',
  'not named by the check: Reload nginx': 'There is no nginx yet, and so no unit to reload.',
  'not named by the check: Restart PostgreSQL to switch archiving on':
    'There is no PostgreSQL yet, and so no unit to restart.',
  'not named by the check: Run the timers of backups and drills':
    'systemd knows nothing of a timer that is not there yet.',
};
