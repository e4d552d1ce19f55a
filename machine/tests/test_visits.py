"""Requests as a visitor, to a real TLS server."""

import http.server
import re
import ssl
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from map_app import visits

NAME = 'map.example.org'


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = {'/readyz': (200, '{"success": true}'), '/full': (503, '{"message": "The disk is full."}')}.get(self.path, (404, ''))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Ignores errors. Clients that reject the certificate abort the handshake."""


class Visits(unittest.TestCase):
    def serve(self, name: str = NAME) -> int:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        key, chain = Path(folder, 'key.pem'), Path(folder, 'chain.pem')
        command = ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-subj', f'/CN={name}']
        command += ['-addext', f'subjectAltName=DNS:{name}', '-keyout', str(key), '-out', str(chain)]
        subprocess.run(command, check=True, capture_output=True)
        server = Server(('127.0.0.1', 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_port

    def visit(self, path: str, port: int) -> visits.Seen:
        return visits.visit(NAME, '127.0.0.1', path, timeout=3, port=port)

    def test_a_successful_request(self) -> None:
        seen = self.visit('/readyz', self.serve())
        assert seen['status'] == 200
        assert re.search('^[0-9a-f]{64}$', seen['certificate'])
        assert visits.fault(NAME, '/readyz', seen, 'here') is None

    def test_an_error_with_its_message(self) -> None:
        sentence = visits.fault(NAME, '/full', self.visit('/full', self.serve()), 'from here')
        assert sentence == 'https://map.example.org/full returns 503 from here: The disk is full'

    def test_a_port_on_which_nothing_listens(self) -> None:
        sentence = visits.fault(NAME, '/readyz', self.visit('/readyz', 9), 'from here')
        assert sentence == 'https://map.example.org/readyz cannot be reached from here: Connection refused'

    def test_a_reserved_name_is_a_trial(self) -> None:
        assert visits.is_reserved('map-app.test')
        assert not visits.is_reserved('test.example.org')

    def judge(self, port: int) -> str | None:
        return visits.judge_certificate(NAME, '127.0.0.1', timeout=3, port=port)[0]

    def test_a_certificate_of_an_unknown_authority(self) -> None:
        assert self.judge(self.serve()) == 'untrusted'

    def test_a_certificate_of_another_name(self) -> None:
        assert self.judge(self.serve('other.example.org')) == 'wrong'
