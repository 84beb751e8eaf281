"""RS256 signatures, checked with whole numbers: a sandbox has no cryptography library. Not for guarding anything real."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import NamedTuple

_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_RSA = bytes.fromhex("2a864886f70d010101")  # the object identifier rsaEncryption


class PublicKey(NamedTuple):
    """An RSA key: modulus and exponent."""

    modulus: int
    exponent: int


def key_from_pem(pem: str) -> PublicKey:
    """The RSA key of a public key or a certificate; raises ValueError when there is none."""
    lines = [line.strip() for line in pem.strip().splitlines()]
    body = "".join(line for line in lines if line and not line.startswith("-----"))
    try:
        der = base64.b64decode(body, validate=True)
    except ValueError:
        raise ValueError("no PEM text") from None
    at = der.find(_RSA)
    if at < 0:
        raise ValueError("no RSA key in this PEM text")
    # After the algorithm comes a bit string that holds SEQUENCE { modulus, exponent }.
    tag, start, _ = _element(der, at + len(_RSA))
    if tag == 0x05:  # NULL parameters of the algorithm
        tag, start, _ = _element(der, start)
    if tag != 0x03:
        raise ValueError("the RSA key is not where it should be")
    _, inner, _ = _element(der, start + 1)
    _, first, after = _element(der, inner)
    _, second, end = _element(der, after)
    return PublicKey(int.from_bytes(der[first:after], "big"), int.from_bytes(der[second:end], "big"))


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """Tag, start and end of the content of one DER element."""
    tag, length, start = der[at], der[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[start : start + count], "big")
        start += count
    return tag, start, start + length


def is_signed(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Is it this key's RSASSA-PKCS1-v1_5 signature with SHA-256?"""
    size = (key.modulus.bit_length() + 7) // 8
    if len(signature) != size:
        return False
    opened = pow(int.from_bytes(signature, "big"), key.exponent, key.modulus).to_bytes(size, "big")
    digest = _SHA256 + hashlib.sha256(message).digest()
    expected = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    return hmac.compare_digest(opened, expected)
