"""Passwords of local accounts: what is asked of them, and how they are kept.

After NIST SP 800-63B-4 (2025), 3.1.1.2: length counts, composition and regular change do not, and
what everybody chooses is refused. Kept as Argon2id with the second parameters of RFC 9106, 4.
"""

import threading
import unicodedata
from functools import cached_property
from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

SHORTEST = 12
LONGEST = 256
"""Characters; whoever sends more keeps a processor busy and no account safer."""
FEWEST_DIFFERENT = 4
"""Different characters."""
FEWEST_OWN = 6
"""Characters beside the name of the account and of the service."""
AT_ONCE = 2
"""Passwords that a process hashes at a time: each takes 64 MiB and all of a processor."""

_COMMON = frozenset(
    """
    123456789012 1234567890123 12345678901234 123456789123 123123123123 112233445566 123321123321
    1q2w3e4r5t6y 1q2w3e4r5t6y7u 1qaz2wsx3edc 1qaz2wsx3edc4rfv qwertyuiop123 qwertyuiop12
    qwertyuiop[] qwertyuiopasdf qwerty123456 qwerty1234567 qwerty12345678 asdfghjkl123
    zaq12wsxcde3 zxcvbnm123456 password1234 password12345 password123456 passwordpassword
    p@ssw0rd1234 passw0rd1234 mypassword123 changeme1234 changemechangeme letmeinletmein
    letmein12345 iloveyou1234 iloveyouforever administrator administrador adminadmin123
    admin1234567 admin12345678 welcome12345 welcome123456 bienvenido123 contraseña123
    contraseña1234 contrasena123 contrasena1234 abcdefghijkl abcdefghijklm abcd12345678
    abc123abc123 correcthorsebatterystaple hospital1234 hospital12345 sanidad12345 medicina1234
    clinician123 clinician1234 reviewer1234 reviewer12345 administrator1 administrator123
    temporal1234 summer2025summer winter2025winter
    """.split()  # noqa: SIM905  # A list literal would take a page.
)
_DUMMY = "what no account has as its password"


class WeakPasswordError(ValueError):
    """A password that is refused; the message says why, never what it was."""


def check_password(password: str, account: str) -> None:
    """Refuse what is too short, too long, or the first that anybody would try.

    Raises `WeakPasswordError`.
    """
    text = _normal(password)
    if len(text) < SHORTEST:
        raise WeakPasswordError(f"the password must have {SHORTEST} characters or more")
    if len(text) > LONGEST:
        raise WeakPasswordError(f"the password must have {LONGEST} characters or fewer")
    plain = text.casefold()
    rest = plain
    for word in (account.casefold(), "cds-service", "cdsservice"):
        rest = rest.replace(word, "")
    is_guessed = plain in _COMMON or len(set(plain)) < FEWEST_DIFFERENT or len(rest) < FEWEST_OWN
    if is_guessed or _is_run(plain):
        raise WeakPasswordError("the password is one of the first that anybody would try")


class Passwords:
    """Hashes and verifies, a few at a time; one a process."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """`hasher`: other parameters than the usual ones."""
        self._hasher = hasher or PasswordHasher()
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def hash(self, password: str) -> str:
        """The hash of a password, with its parameters and salt."""
        with self._places:
            return self._hasher.hash(_normal(password))

    def matches(self, password: str, stored: str | None) -> bool:
        """Whether a password has this hash. Without one it takes as long and is `False`, so that
        nobody learns from the time whether there is such an account."""
        text = _normal(password)[: LONGEST + 1]
        with self._places:
            try:
                verified = self._hasher.verify(stored or self._dummy, text)
            except (Argon2Error, InvalidHashError):
                return False
        return verified and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than those of now."""
        return self._hasher.check_needs_rehash(stored)

    @cached_property
    def _dummy(self) -> str:
        return self._hasher.hash(_DUMMY)


def _normal(password: str) -> str:
    """One spelling of what is typed on different keyboards (NFC; SP 800-63B-4, 3.1.1.2)."""
    return unicodedata.normalize("NFC", password)


def _is_run(text: str) -> bool:
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return len(steps) == 1 and steps <= {-1, 0, 1}
