"""Find the problems of an operator's certificate."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def public(key: Any) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def covers(names: list[str], domain: str) -> bool:
    """Returns whether a certificate's names cover a domain. A leading asterisk stands for one label."""
    return domain in names or '*.' + domain.partition('.')[2] in names


def of_time(certificate: Any) -> Iterator[str]:
    now = datetime.now(UTC)
    if certificate.not_valid_after_utc <= now:
        yield f'the certificate expired on {certificate.not_valid_after_utc:%Y-%m-%d}'
    if certificate.not_valid_before_utc > now:
        yield f'the certificate is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}'


def of_names(certificate: Any, domains: list[str]) -> Iterator[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    missing = [domain for domain in domains if not covers(names, domain)]
    if missing:
        yield f'the certificate is for {", ".join(names) or "no name"}, and lacks {", ".join(missing)}'


def of_order(chain: Any) -> Iterator[str]:
    """Yields the breaks in a chain. Each certificate must be signed by the next, or browsers find no path to a trusted root."""
    for one, issuer in itertools.pairwise(chain):
        try:
            one.verify_directly_issued_by(issuer)
        # Each algorithm raises its own exception for an invalid signature.
        except Exception:
            yield f'{one.subject.rfc4514_string()} is not signed by {issuer.subject.rfc4514_string()}, which comes after it'


def of_key(certificate: Any, text: str) -> Iterator[str]:
    """Yields the problems of a key. Never quotes the key."""
    try:
        key = load_pem_private_key(text.encode(), None)
    except TypeError:
        yield 'the key is encrypted: decrypt it; the vault encrypts it'
    # Several types of exceptions, all with this meaning.
    except Exception:
        yield 'the key is not a private key in PEM'
    else:
        if public(key.public_key()) != public(certificate.public_key()):
            yield 'the key is that of another certificate'


def certificate_faults(chain: str, key: str, domains: list[str]) -> list[str]:
    """
    @param chain: the certificate and its intermediates in PEM; '' if there is none
    @param key: its private key in PEM
    @param domains: the names that it must contain
    @returns the problems, one clause each; none of them quotes the key
    """
    if not chain:
        return ['there is a key without a certificate'] if key else []
    try:
        certificates = x509.load_pem_x509_certificates(chain.encode())
    except ValueError:
        return ['the certificate is not in PEM']
    first = certificates[0]
    return [*of_time(first), *of_names(first, domains), *of_order(certificates), *of_key(first, key)]


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {'certificate_faults': certificate_faults}
