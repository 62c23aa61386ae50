"""What `modelunits keys` says. Pure."""

from collections.abc import Iterable
from datetime import datetime

from infra.keys.book import Key, TooManyKeysError
from infra.keys.last_used import LastUsed
from infra.plan.tables import Column, Table

UNKNOWN = "-"
"""Of a key that was not used since the gateways started, or whose gateways do not tell."""


def document(key: Key) -> dict[str, str | None]:
    """Return a key for programs; never what callers send."""
    return {
        "id": key.id,
        "team": key.team,
        "description": key.description,
        "created": key.created.isoformat(),
    }


def used_document(key: Key, used: LastUsed) -> dict[str, str | None]:
    """Return when a key was last used, for programs; null where that is not known."""
    return {"last_used": used[key.id].isoformat() if key.id in used else None}


def where_text(*, local: bool) -> str:
    """Return where keys are kept: a stack may have some in both places."""
    return "on this machine" if local else "in the cluster"


def keys_table(stack: str, where: str, keys: Iterable[Key], used: LastUsed) -> Table:
    """Return keys as a table, team by team, the oldest first."""
    headings = ("ID", "Team", "Description", "Created (UTC)", "Last used (UTC)")
    return Table(
        title=f"Keys of {stack} {where}",
        columns=tuple(Column(heading=heading) for heading in headings),
        rows=tuple(
            (key.id, key.team, key.description, _minute(key.created), _last(key, used))
            for key in sorted(keys, key=lambda key: (key.team, key.created))
        ),
    )


def created_text(key: Key, secret: str, use: str) -> str:
    """Return the one text that shows a key, with how to use it."""
    return f"""\
Key {key.id} of team {key.team}. It is shown this once; keep it as you keep passwords:

  {secret}

{use}"""


def serve_text(stack: str) -> str:
    """Return how to start the gateway that a key of this machine is for."""
    return f"It works once `modelunits local serve {stack}` runs, which shows its base URL."


def use_text(base_url: str, secret: str, *, inside: bool) -> str:
    """Return commands that try a key; `inside` where only the cluster knows the gateway's name."""
    place = " inside the cluster; outside of it nobody knows this name" if inside else ""
    return f"""\
It works within seconds, in every client of OpenAI's API{place}:

  export OPENAI_BASE_URL={base_url}
  export OPENAI_API_KEY={secret}
  curl "$OPENAI_BASE_URL/models" -H "Authorization: Bearer $OPENAI_API_KEY\""""


def too_many_text(error: TooManyKeysError, used: LastUsed, revoke_command: str) -> str:
    """Return why there is no further key, with the keys that there are, the least used first."""
    waiting_longest = sorted(error.keys, key=lambda key: (used.get(key.id, key.created), key.created))
    listed = [
        f"  {key.id}  last used {_last(key, used)}, created {_minute(key.created)}: {key.description}"
        for key in sorted(waiting_longest, key=lambda key: key.id in used)
    ]
    return "\n".join([f"{error}, `{revoke_command} ID`", *listed])


def _last(key: Key, used: LastUsed) -> str:
    return _minute(used[key.id]) if key.id in used else UNKNOWN


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"
