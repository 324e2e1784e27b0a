"""The login of the account's user."""

import hmac
import re
import secrets
from hashlib import sha256
from http import HTTPStatus
from typing import final

from brokers.sandbox import kite_times
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.http import SandboxApiError
from engine.orders.order_texts import ORDER_TYPES

PRODUCTS = ("CNC", "NRML", "MIS", "MTF")
APP_ID = 1201
OWN = "sbx"
"""How the sandbox's own API keys begin."""
# The form of Kite's own API keys.
REAL = re.compile("[a-z0-9]{16}")
REAL_KEY = (
    "This looks like the key of a real account. Do not send real credentials to a sandbox; use "
    "the ones it printed."
)


@final
class SandboxSession:
    """API key, secret and the access tokens of the day; a new login ends the old one.

    All of them follow from the configuration's salt, key and secret from it alone; without a salt
    they cannot be foreseen.
    """

    def __init__(self, config: SandboxConfig, exchanges: tuple[str, ...]) -> None:
        self.user_id = config.user
        self._exchanges = exchanges
        self._consent = config.consent
        self._salt = (config.salt or secrets.token_hex(32)).encode()
        self._date = config.date
        self._issued = 0
        self._requests: set[str] = set()
        self._others: set[str] = set()
        """Tokens of earlier logins that still live."""
        self._one_session = config.choices.one_session
        self._renewable = config.choices.refresh_token
        self._refresh = ""
        self.api_key = OWN + self._salted_digest("key")[: 16 - len(OWN)]
        self.api_secret = self._salted_digest("secret")
        self.access_token = self._issue_token("access")

    def _refuse_real(self, api_key: str) -> None:
        if api_key != self.api_key and not api_key.startswith(OWN) and REAL.fullmatch(api_key):
            raise _forbidden_error(REAL_KEY)

    def _issue_token(self, what: str) -> str:
        self._issued += 1
        return self._salted_digest(f"{self._date}|{what}|{self._issued}")

    def _salted_digest(self, what: str) -> str:
        return hmac.digest(self._salt, what.encode(), "sha256").hex()[:32]

    def request_token(self, api_key: str) -> str:
        """Log in: mint a request token for one exchange."""
        self._refuse_real(api_key)
        if api_key != self.api_key:
            raise SandboxApiError(HTTPStatus.BAD_REQUEST, "InputException", "Invalid `api_key`.")
        token = self._issue_token("request")
        self._requests.add(token)
        return token

    def exchange_token(
        self, api_key: str, request_token: str, checksum: str, now: int
    ) -> dict[str, object]:
        """Trade a request token for an access token."""
        self._refuse_real(api_key)
        expected = sha256((self.api_key + request_token + self.api_secret).encode()).hexdigest()
        # Key and secret prove themselves by the checksum alone: the secret never travels.
        if api_key != self.api_key or checksum != expected:
            raise _forbidden_error("Invalid `checksum`.")
        if request_token not in self._requests:
            raise _forbidden_error("Token is invalid or has expired.")
        # Good once: a redirect that somebody has read on its way opens nothing any more.
        self._requests.discard(request_token)
        if not self._one_session and self.access_token:
            self._others.add(self.access_token)
        self.access_token = self._issue_token("access")
        self._refresh = self._issue_token("refresh") if self._renewable else ""
        return self.profile() | {
            "api_key": self.api_key,
            "access_token": self.access_token,
            "public_token": self._issue_token("public"),
            "enctoken": "",
            "refresh_token": self._refresh,
            "silo": "",
            "login_time": kite_times.text(now),
        }

    def is_valid_pair(self, api_key: str, access_token: str) -> bool:
        """Return whether this pair is the account's."""
        return (
            # After a log-out there is no token, and an empty one must not be taken for it.
            bool(access_token)
            and api_key == self.api_key
            and access_token in {self.access_token, *self._others}
        )

    def authorise(self, header: str) -> None:
        """Check an `Authorization: token key:access` header."""
        # First of all: whoever sends real credentials has to hear that, not that they are wrong.
        self._refuse_real(header.partition(" ")[2].partition(":")[0])
        if not self.admits(header):
            raise _forbidden_error("Incorrect `api_key` or `access_token`.")

    def admits(self, header: str) -> bool:
        """Tell whether an `Authorization` header opens the session."""
        scheme, _, pair = header.partition(" ")
        api_key, _, access = pair.partition(":")
        return scheme == "token" and self.is_valid_pair(api_key, access)

    def logout(self, api_key: str, access_token: str) -> bool:
        """End the session."""
        if not self.is_valid_pair(api_key, access_token):
            raise _forbidden_error("Incorrect `api_key` or `access_token`.")
        self._others.discard(access_token)
        if access_token == self.access_token:
            self.access_token = ""
        return True

    def expire(self) -> None:
        """Let every access token die; a login makes a new one."""
        self._others.clear()
        self.access_token = ""

    def profile(self) -> dict[str, object]:
        """Return the user's profile."""
        return {
            "user_id": self.user_id,
            "user_type": "individual",
            "user_name": "Sandbox Trader",
            "user_shortname": "Sandbox",
            "email": "trader@sandbox.invalid",
            "broker": "ZERODHA",
            "exchanges": list(self._exchanges),
            "products": list(PRODUCTS),
            "order_types": list(ORDER_TYPES.values()),
            "avatar_url": None,
            "meta": {"demat_consent": "consent" if self._consent else "physical"},
        }

    def full_profile(self) -> dict[str, object]:
        """Return everything Kite keeps of a user; what would be personal is made up."""
        return self.profile() | {
            "phone": "*0000",
            "pan": "*000S",
            "twofa_type": "totp",
            "twofa_timestamp": "2020-01-01 00:00:00",
            "password_timestamp": "2020-01-01 00:00:00",
            "dp_ids": ["1200000000000000"],
            "bank_accounts": [{"name": "SANDBOX BANK", "branch": "NOWHERE", "account": "*0000"}],
            "tags": ["sandbox"],
            "meta": {"poa": "physical" if self._consent else "", "silo": "x", "account_blocks": []},
        }

    def renew(self, api_key: str, refresh_token: str, checksum: str) -> dict[str, object]:
        """Trade a refresh token for the next access token.

        Only approved platforms are given one.
        """
        self._refuse_real(api_key)
        if not refresh_token or refresh_token != self._refresh:
            raise _forbidden_error(
                f"Invalid `refresh_token`{'' if refresh_token else ': it is empty'}."
            )
        if (
            checksum
            != sha256((self.api_key + refresh_token + self.api_secret).encode()).hexdigest()
        ):
            raise _forbidden_error("Invalid `checksum`.")
        self.access_token = self._issue_token("access")
        self._refresh = self._issue_token("refresh")
        return {
            "user_id": self.user_id,
            "access_token": self.access_token,
            "refresh_token": self._refresh,
        }

    def forget_refresh(self, api_key: str, refresh_token: str) -> bool:
        """End a refresh token."""
        if api_key != self.api_key or not refresh_token or refresh_token != self._refresh:
            raise _forbidden_error("Invalid `refresh_token`.")
        self._refresh = ""
        return True


def _forbidden_error(message: str) -> SandboxApiError:
    return SandboxApiError(HTTPStatus.FORBIDDEN, "TokenException", message)
