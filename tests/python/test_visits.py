"""Requests as a visitor, to a real TLS server."""

import http.server
import ssl
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from ansible.module_utils import visits

NAME = 'map.example.org'


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = {'/readyz': (200, '{"success": true}'), '/full': (503, '{"message": "The disk is full."}')}.get(self.path, (404, ''))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """Ignores errors. Clients that reject the certificate abort the handshake."""


class Visits(unittest.TestCase):
    def serve(self, name=NAME):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        key, chain = Path(folder, 'key.pem'), Path(folder, 'chain.pem')
        command = ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-subj', f'/CN={name}']
        command += ['-addext', f'subjectAltName=DNS:{name}', '-keyout', key, '-out', chain]
        subprocess.run(command, check=True, capture_output=True)
        server = Server(('127.0.0.1', 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_port

    def visit(self, path, port):
        return visits.visit(NAME, '127.0.0.1', path, timeout=3, port=port)

    def test_a_request_that_is_answered(self):
        seen = self.visit('/readyz', self.serve())
        self.assertEqual(seen['status'], 200)
        self.assertRegex(seen['certificate'], '^[0-9a-f]{64}$')
        self.assertIsNone(visits.fault(NAME, '/readyz', seen, 'here'))

    def test_an_error_with_its_sentence(self):
        sentence = visits.fault(NAME, '/full', self.visit('/full', self.serve()), 'from here')
        self.assertEqual(sentence, 'https://map.example.org/full returns 503 from here: The disk is full')

    def test_a_port_that_nobody_listens_on(self):
        sentence = visits.fault(NAME, '/readyz', self.visit('/readyz', 9), 'from here')
        self.assertEqual(sentence, 'https://map.example.org/readyz is not answered from here: Connection refused')

    def judge(self, port):
        return visits.judge_certificate(NAME, '127.0.0.1', timeout=3, port=port)[0]

    def test_a_certificate_of_no_known_authority(self):
        self.assertEqual(self.judge(self.serve()), 'untrusted')

    def test_a_certificate_of_another_name(self):
        self.assertEqual(self.judge(self.serve('other.example.org')), 'wrong')


if __name__ == '__main__':
    unittest.main()
