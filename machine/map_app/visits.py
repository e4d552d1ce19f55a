"""Requests the site the way a visitor's browser does: over HTTPS, by its public name."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import ssl
import time
from typing import Any

Seen = dict[str, Any]

# The readiness check, and a read that every client requests.
READY, READ = '/readyz', '/api/locations/counts'

# Top-level domains that the DNS never contains (RFC 2606). A site with such a name is a trial: without DNS record and public certificate.
RESERVED = ('test', 'example', 'invalid', 'localhost')

# OpenSSL's codes for a certificate whose issuer is not trusted: self-signed, or no path to a trusted root.
UNTRUSTED = (18, 19, 20, 21)

# Shorter than the 60 s after which nginx returns 504: visitors have left by then, and operators need not wait.
PATIENCE = 8

PORT = 443


def is_reserved(name: str) -> bool:
    return name.rsplit('.', 1)[-1] in RESERVED


class Over(http.client.HTTPSConnection):
    """A connection to an address that requests a name, regardless of the name's DNS record."""

    def __init__(self, name: str, address: str, context: ssl.SSLContext, timeout: float, port: int = PORT) -> None:
        super().__init__(name, port, timeout=timeout, context=context)
        self.address = address
        self.context = context

    def connect(self) -> None:
        plain = socket.create_connection((self.address, self.port), self.timeout)
        try:
            self.sock = self.context.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def visit(name: str, address: str, path: str, timeout: float = PATIENCE, port: int = PORT) -> Seen:
    """
    Requests a path without judging the certificate.
    @returns status (0: no response, then error says why), message (the response's own sentence, or None), seconds, and certificate, the SHA-256 of the one served
    """
    connection = Over(name, address, unchecked(), timeout, port)
    begin = time.monotonic()
    seen: Seen = {'status': 0, 'message': None, 'error': None, 'certificate': None}
    try:
        connection.connect()
        seen['certificate'] = hashlib.sha256(connection.sock.getpeercert(binary_form=True) or b'').hexdigest()
        connection.request('GET', path, headers={'User-Agent': 'map-app-status'})
        response = connection.getresponse()
        seen['message'] = message_of(response.read(65_536))
        seen['status'] = response.status
    except TimeoutError:
        seen['error'] = f'no response within {timeout} s'
    except (OSError, http.client.HTTPException) as error:
        seen['error'] = reason(error)
    finally:
        connection.close()
    return {**seen, 'seconds': round(time.monotonic() - begin, 3)}


def message_of(body: bytes) -> str | None:
    try:
        said: str | None = json.loads(body).get('message')
    except (ValueError, AttributeError):
        return None
    return said


def reason(error: Exception) -> str:
    """Returns the message of an error, without its number."""
    if isinstance(error, ssl.SSLError):
        # nginx rejects the handshake for names that it does not serve.
        return 'nginx serves no site of this name' if 'UNRECOGNIZED_NAME' in str(error) else f'TLS: {error.reason or error}'
    return getattr(error, 'strerror', None) or str(error) or type(error).__name__


def handshake(name: str, address: str, context: ssl.SSLContext, timeout: float, port: int) -> bytes:
    with socket.create_connection((address, port), timeout) as plain, context.wrap_socket(plain, server_hostname=name) as wrapped:
        return wrapped.getpeercert(binary_form=True) or b''


def judge_certificate(name: str, address: str, timeout: float = PATIENCE, port: int = PORT) -> tuple[str | None, str | None]:
    """
    Finds the reason why a browser would reject the served certificate.
    @returns (kind, sentence): kind is 'wrong' (another name, expired), 'untrusted' (its issuer is unknown to this computer) or None
    """
    try:
        handshake(name, address, ssl.create_default_context(), timeout, port)
        return None, None
    except ssl.SSLCertVerificationError as error:
        if error.verify_code not in UNTRUSTED:
            return 'wrong', f'browsers reject its certificate ({error.verify_message})'
    except OSError:
        # visit() reports a missing response.
        return None, None
    # OpenSSL reports the issuer first. Trust this certificate to find other faults.
    served = handshake(name, address, unchecked(), timeout, port)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(served))
    try:
        handshake(name, address, trusting, timeout, port)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code not in UNTRUSTED:
            return 'wrong', f'browsers reject its certificate ({error.verify_message})'
    return 'untrusted', 'browsers warn about its certificate, because it was not issued by an authority that this computer trusts'


def fault(name: str, path: str, seen: Seen, where: str) -> str | None:
    """Returns a sentence, without its full stop, for a failed request, or None. `where` is the place of the request."""
    if seen['status'] == 200:
        return None
    if not seen['status']:
        return f'https://{name}{path} cannot be reached {where}: {seen["error"]}'
    said = f': {seen["message"].rstrip(".")}' if seen['message'] else ''
    return f'https://{name}{path} returns {seen["status"]} {where}{said}'


def ended(sentence: str) -> str:
    return sentence if sentence.endswith(('.', '?', '!')) else sentence + '.'
