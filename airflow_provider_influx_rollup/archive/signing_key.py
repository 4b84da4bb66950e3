"""Keys that sign certificates: a secret for HMAC-SHA256, or a key pair of Ed25519."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_influx_rollup.exceptions import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

HMAC, ED25519 = "hmac-sha256", "ed25519"
SHORTEST_SECRET_BYTES = 16
PEM_BEGIN = b"-----BEGIN"
FIX = (
    "give a PEM file of an Ed25519 key, such as `openssl genpkey -algorithm ed25519` makes, "
    f"or a secret of {SHORTEST_SECRET_BYTES} bytes or more"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key that signs, or only checks.

    :param algorithm: ``"hmac-sha256"`` or ``"ed25519"``
    :param key_id: 16 hex digits that tell keys apart and give nothing of them away
    """

    algorithm: str
    key_id: str
    _secret: bytes = field(default=b"", repr=False)
    _private: Ed25519PrivateKey | None = field(default=None, repr=False)
    _public: Ed25519PublicKey | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, data: bytes) -> SigningKey:
        """A key from the text of a secret or of a PEM file, private or public.

        :raises ConfigurationError: when it is no key; never showing it
        """
        text = data.strip()
        if text.startswith(PEM_BEGIN):
            return cls._of_pem(text)
        if len(text) < SHORTEST_SECRET_BYTES:
            what = f"the signing key is shorter than {SHORTEST_SECRET_BYTES} bytes"
            raise ConfigurationError(what, written="nothing", fix=FIX)
        # slow on purpose: whoever has the id cannot try many likely secrets
        key_id = hashlib.scrypt(text, salt=b"influx-rollup certificate key", n=2**12, r=8, p=1, dklen=8)
        return cls(algorithm=HMAC, key_id=key_id.hex(), _secret=text)

    @classmethod
    def _of_pem(cls, text: bytes) -> SigningKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            PublicFormat,
            load_pem_private_key,
            load_pem_public_key,
        )

        found: Any
        try:
            is_private = b"PRIVATE KEY" in text.split(b"\n", 1)[0]
            found = load_pem_private_key(text, None) if is_private else load_pem_public_key(text)
        except (ValueError, TypeError) as error:
            what = f"the signing key cannot be read: {type(error).__name__}"
            raise ConfigurationError(what, written="nothing", fix=FIX) from None
        if not isinstance(found, Ed25519PrivateKey | Ed25519PublicKey):
            what = "the signing key is a PEM of another kind than Ed25519"
            raise ConfigurationError(what, written="nothing", fix=FIX)
        private = found if isinstance(found, Ed25519PrivateKey) else None
        public = found.public_key() if isinstance(found, Ed25519PrivateKey) else found
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return cls(
            algorithm=ED25519, key_id=hashlib.sha256(raw).hexdigest()[:16], _private=private, _public=public
        )

    def sign(self, data: bytes) -> str:
        """Hex digits.

        :raises ConfigurationError: when the key can only check
        """
        if self.algorithm == HMAC:
            return hmac.new(self._secret, data, hashlib.sha256).hexdigest()
        if self._private is None:
            what = "the signing key is the public half of a pair, which cannot sign"
            raise ConfigurationError(what, written="nothing", fix="give the private half")
        return self._private.sign(data).hex()

    def is_right(self, signature: str, data: bytes) -> bool:
        """Whether a signature is of these bytes, by this key."""
        if self.algorithm == HMAC:
            return hmac.compare_digest(self.sign(data).encode(), signature.encode())
        from cryptography.exceptions import InvalidSignature

        if self._public is None:
            return False
        try:
            self._public.verify(bytes.fromhex(signature), data)
        except (InvalidSignature, ValueError):
            return False
        return True
