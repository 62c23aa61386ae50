"""Keys that Envoy would not take never reach it: the files stay as they are, and the log says why."""

from pathlib import Path

import pytest
from keys.answering import answering, kubeconfig, secret

from infra.keys.book import KeysError
from infra.keys.cluster import connect
from infra.keys.sync import bring, followed
from infra.render.gateway.keys import KEYS_FILE, CallerKey, key_file

SECRETS = "/api/v1/namespaces/modelunits-dev/secrets"


def key_of(key_id: str, own: str) -> CallerKey:
    """Return a key of one team."""
    return CallerKey(id=key_id, team="search", secret=own)


GOOD = key_file([key_of("k1", "mu-one")])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "is not text"),
        ("{", "keys.json is not a file of keys"),
        (key_file([key_of("k1", "mu-one"), key_of("k2", "mu-one")]), "has one secret for two keys: k1, k2"),
        (key_file([key_of("k1", "mu-one"), key_of("k2", "")]), "has an empty secret, of key k2"),
    ],
)
def test_keys_that_envoy_refuses_do_not_reach_it(tmp_path: Path, content: str | bytes, message: str) -> None:
    """One error that the program tells and tries again after, without a key in it; mended keys pass."""
    answers = {SECRETS: secret(GOOD)}
    file = tmp_path / "keys" / KEYS_FILE
    with answering(answers) as server:
        api = connect(None, kubeconfig(tmp_path / "config.yaml", server))
        _, keys = followed(api, "modelunits-dev", "gateway-keys", "gateway-config", tmp_path)
        bring(keys)
        answers[SECRETS] = secret(content)
        with pytest.raises(KeysError, match=message) as refused:
            bring(keys)
        assert GOOD == file.read_text()

        mended = key_file([key_of("k2", "mu-two")])
        answers[SECRETS] = secret(mended)
        bring(keys)
    assert mended == file.read_text()
    assert "mu-one" not in str(refused.value)
