"""The delay before the next request to the certificate authority."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from map_app import renewal, screen
from map_app.cli import main
from map_app.processes import Ended
from map_app.settings import Settings

from .stand_ins import RecordedProcesses

# Error messages of Let's Encrypt (Boulder, 2025).
LIMITED = (
    'An unexpected error occurred:\nError creating new order :: too many failed authorizations (5) for "map.example.org" in the last 1h0m0s, '
    'retry after 2026-11-27 12:30:00 UTC: see https://letsencrypt.org/docs/rate-limits/#authorization-failures-per-hostname-per-account'
)
PAUSED = (
    'urn:ietf:params:acme:error:rateLimited :: There were too many requests of a given type :: Your account is temporarily prevented from requesting '
    'certificates for map.example.org and possibly others. Please visit: https://portal.letsencrypt.org/sfe/v1/unpause?jwt=abc.def-g'
)


class TestBackOff:
    def test_doubles_from_20_minutes_to_12_hours(self) -> None:
        assert [renewal.pause(failures) // 60 for failures in range(1, 9)] == [20, 40, 80, 160, 320, 640, 720, 720]

    def test_stays_far_below_the_number_of_failures_that_pauses_a_name(self) -> None:
        tries, now = 0, 0
        while now < 365 * 86_400:
            tries += 1
            now += renewal.pause(tries)
        assert tries < 740

    def test_is_reset_after_a_success(self) -> None:
        state = renewal.after({'failures': 9}, 0, '', 1000.0)
        assert (state['failures'], state['next']) == (0, 1000.0 + 12 * 3600)


class TestRefusals:
    def test_a_limit_with_its_end(self) -> None:
        state = renewal.after({}, 1, LIMITED, 1_795_000_000.0)
        assert (state['kind'], screen.moment(state['next'])) == ('limited', '2026-11-27 12:30 UTC')

    def test_a_limit_that_does_not_name_its_end(self) -> None:
        state = renewal.after({}, 1, 'urn:ietf:params:acme:error:rateLimited :: too many certificates already issued', 0.0)
        assert (state['kind'], state['next']) == ('limited', 12 * 3600)

    def test_a_pause_with_the_url_that_lifts_it(self) -> None:
        state = renewal.after({'failures': 3}, 1, PAUSED, 0.0)
        assert (state['kind'], state['url'], state['next']) == ('paused', 'https://portal.letsencrypt.org/sfe/v1/unpause?jwt=abc.def-g', 12 * 3600)

    def test_other_failures(self) -> None:
        state = renewal.after({}, 1, 'Timeout during connect (likely firewall problem)', 0.0)
        assert (state['kind'], state['next']) == ('failed', 20 * 60)

    def test_only_the_end_of_a_long_message_is_kept(self) -> None:
        assert renewal.after({}, 1, 'x' * 9000 + 'end', 0.0)['said'] == 'x' * 1997 + 'end'


class TestVerb:
    @pytest.fixture(autouse=True)
    def as_root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr('os.geteuid', lambda: 0)
        monkeypatch.setattr('time.sleep', lambda _: None)
        monkeypatch.delenv('TRIGGER_UNIT', raising=False)
        self.path = tmp_path / 'state.json'
        self.processes = RecordedProcesses({'certbot': Ended(0)})

    def renew(self, ended: Ended) -> int:
        self.processes.answers['certbot'] = ended
        return main(['certificate', 'renew', str(self.path), 'certbot', 'certonly', '--quiet'], self.processes)

    def state(self) -> renewal.State:
        return renewal.read(self.path)

    def test_runs_certbot_with_its_arguments_and_returns_its_status(self) -> None:
        assert self.renew(Ended(0)) == 0
        assert self.processes.texts == ['certbot certonly --quiet']
        assert self.state()['kind'] == 'good'
        assert self.renew(Ended(7)) == 7

    def test_prints_the_failure_and_when_the_timer_retries(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.renew(Ended(1, 'Saving debug log\n', LIMITED))
        printed = capsys.readouterr().err
        assert 'Saving debug log\nAn unexpected error' in printed
        assert 'Failure 1 in a row (limited). The timer retries from ' in printed

    def test_the_timer_waits_until_a_request_is_due_and_an_operator_does_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.renew(Ended(1))
        with monkeypatch.context() as timer:
            timer.setenv('TRIGGER_UNIT', 'certificates-renew.timer')
            assert self.renew(Ended(1)) == 0
        assert len(self.processes.commands) == 1
        self.renew(Ended(1))
        assert self.state()['failures'] == 2
        self.path.write_text(json.dumps({**self.state(), 'next': 1.0}))
        monkeypatch.setenv('TRIGGER_UNIT', 'certificates-renew.timer')
        self.renew(Ended(0))
        assert self.state()['failures'] == 0

    def test_a_rejected_nonce_is_retried_at_once(self) -> None:
        assert self.renew(Ended(1, 'badNonce :: JWS has an invalid anti-replay nonce')) == 1
        assert len(self.processes.commands) == 5
        assert self.state()['failures'] == 1

    def test_the_attempt_after_a_rejected_nonce_does_not_ask_again_whether_the_certificate_is_due(self) -> None:
        self.renew(Ended(1, 'badNonce'))
        assert ['--force-renewal' in command for command in self.processes.commands] == [False, True, True, True, True]

    def test_a_rejected_nonce_is_not_a_failure_if_the_next_attempt_succeeds(self) -> None:
        ends = iter([Ended(1, 'badNonce'), Ended(0)])
        with mock.patch.object(self.processes, 'run', side_effect=lambda _: next(ends)):
            assert main(['certificate', 'renew', str(self.path), 'certbot'], self.processes) == 0
        assert self.state()['failures'] == 0

    def test_starts_over_if_its_state_is_damaged(self) -> None:
        self.path.write_text('{')
        self.renew(Ended(1))
        assert self.state()['failures'] == 1


class TestIssue:
    """`certificate issue`, which site.yml runs."""

    @pytest.fixture(autouse=True)
    def as_root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr('os.geteuid', lambda: 0)
        settings = Settings({'certificates': {'chain': '/live/fullchain.pem', 'renewal': 'certificates-renew', 'state': str(tmp_path)}})
        monkeypatch.setattr('map_app.settings.read', lambda: settings)
        self.path = tmp_path / 'state.json'
        self.processes = RecordedProcesses({'openssl': Ended(1)})

    def issue(self, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
        assert main(['certificate', 'issue', '/live/fullchain.pem', str(self.path), *options, '--json'], self.processes) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    def last(self, **state: object) -> None:
        self.path.write_text(json.dumps({'failures': 3, 'said': 'Connection refused', 'next': 4_000_000_000.0, **state}))

    @property
    def requests(self) -> int:
        return self.processes.texts.count('systemctl start certificates-renew.service')

    def test_leaves_a_valid_certificate_alone(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.processes.answers['openssl x509 -noout -checkend 0 -in /live/fullchain.pem'] = Ended(0)
        assert self.issue(capsys) == {'changed': False, 'message': 'The certificate is valid.', 'valid': True}
        assert self.requests == 0

    def test_requests_a_missing_or_expired_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.issue(capsys) == {'changed': True, 'message': 'The authority has issued the certificate.', 'valid': True}
        assert self.requests == 1

    def test_a_failure_of_the_last_attempt_does_not_delay_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.last(kind='failed')
        assert self.issue(capsys)['changed']

    def test_check_mode_requests_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.issue(capsys, '--check') == {'changed': True, 'message': 'The certificate would be requested.', 'valid': True}
        assert self.requests == 0

    @pytest.mark.parametrize(('kind', 'words'), [('limited', 'its rate limit holds until 2096-10-02'), ('paused', 'lift the pause at')])
    def test_requests_nothing_while_the_authority_forbids_it(self, kind: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.last(kind=kind)
        found = self.issue(capsys)
        assert (found['changed'], found['valid'], self.requests) == (False, False, 0)
        assert found['message'].startswith('The authority forbids a request now: it')
        assert words in found['message']

    def test_requests_again_when_a_limit_has_ended(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.last(kind='limited', next=1.0)
        assert self.issue(capsys)['changed']

    def test_names_the_reason_if_the_authority_does_not_issue_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.processes.answers['systemctl start certificates-renew.service'] = Ended(1)
        assert 'see journalctl --unit=certificates-renew.service.' in self.issue(capsys)['message']
        self.last(kind='failed')
        found = self.issue(capsys)
        assert (found['changed'], found['valid']) == (False, False)
        assert 'The authority has not issued the certificate: 3 attempts have failed.' in found['message']
        assert 'Connection refused' in found['message']
