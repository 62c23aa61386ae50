"""What the keepers of keys have in common: one reads, the other changes what was read."""

from collections.abc import Callable
from typing import Protocol

from infra.keys.contents import Contents


class Store(Protocol):
    """Keeps the keys of a stack."""

    def read(self) -> Contents:
        """Return the keys as they are now; none where nothing was ever kept.

        Raises:
            KeysError: the store is damaged or cannot be reached.
        """

    def change(self, decide: Callable[[Contents], Contents]) -> Contents:
        """Put what `decide` makes of the present keys in their place, whole or not at all.

        Why a function: somebody else may change the keys meanwhile; it is then asked again.

        Raises:
            KeysError: the same, or what `decide` raises; nothing has changed then.
        """
