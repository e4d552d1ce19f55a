"""Requests to a misbehaving worker."""

import contextlib
import os
import socket
import tempfile
import threading
import time
import unittest
from collections.abc import Callable
from unittest import mock

from map_app import worker


class Asking(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, 'worker.sock')
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen()
        self.addCleanup(self.listener.close)

    def serve(self, send: Callable[[socket.socket], object]) -> None:
        def answer() -> None:
            connection, _ = self.listener.accept()
            with connection:
                connection.recv(4096)
                with contextlib.suppress(OSError):
                    send(connection)

        threading.Thread(target=answer, daemon=True).start()

    def test_a_complete_response(self) -> None:
        self.serve(lambda connection: connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
        assert worker.ask(self.path, '/readyz') == (200, 'ok')

    def test_a_response_beyond_the_limit_is_not_read(self) -> None:
        self.serve(lambda connection: connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlarge'))
        with mock.patch.object(worker, 'LARGEST', 3):
            assert worker.ask(self.path, '/readyz') == (200, 'lar')

    def test_a_response_that_ends_early(self) -> None:
        self.serve(lambda connection: connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok'))
        assert worker.ask(self.path, '/readyz') == (0, 'the response ended early')

    def test_a_response_that_never_ends(self) -> None:
        def drip(connection: socket.socket) -> None:
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n')
            for _ in range(100):
                connection.sendall(b'.')
                time.sleep(0.05)

        self.serve(drip)
        began = time.monotonic()
        status, _ = worker.ask(self.path, '/readyz', longest=0.3)
        assert status == 0
        assert time.monotonic() - began < 2

    def test_a_link_in_place_of_the_socket(self) -> None:
        link = self.path + '.link'
        os.symlink(self.path, link)
        status, why = worker.ask(link, '/readyz')
        assert status == 0
        assert 'is not a socket' in why
