"""Requests of the machine to its own site."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
from map_app import visits
from map_app.serving import Serving
from map_app.settings import Settings
from map_app.units import Units

from .stand_ins import RecordedProcesses


@pytest.mark.parametrize('closed', [False, True])
def test_a_closed_site_gets_only_the_request_that_nginx_passes_on(tmp_path: Path, closed: bool) -> None:
    nginx = {'domain': 'map.example.org', 'site_file': '/none', 'maintenance': str(tmp_path), 'closed': str(tmp_path / 'closed')}
    if closed:
        (tmp_path / 'closed').touch()
    processes = RecordedProcesses()
    seen = {'status': 200, 'message': None}
    with mock.patch.object(visits, 'visit', return_value=seen) as visit:
        assert Serving(Settings({'nginx': nginx}), processes, Units(processes)).visit_here() == (seen, None)
    assert [call.args[2] for call in visit.call_args_list] == [visits.READY, *([] if closed else [visits.READ])]
