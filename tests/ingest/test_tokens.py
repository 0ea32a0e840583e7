"""Tokens: what is believed, and every known way to be fooled."""

import hashlib
import hmac
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from groundswell.contract.claims import Role
from groundswell.contract.problems import Refused
from groundswell.ingest.keys import public_key, secret_key
from groundswell.ingest.tokens import TokenVerifier

SECRET = b"another secret of 32 bytes or so"
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
NOW = 1_727_354_096  # seconds; the clock of `world`


def pem(private: Any) -> bytes:
    key: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key


KEYS = (
    secret_key(SECRET, kid="hs", where="test"),
    public_key(pem(RSA), algorithm="RS256", kid="rs", where="test"),
    public_key(pem(EC), algorithm="ES256", kid="es", where="test"),
    public_key(pem(ED), algorithm="EdDSA", kid="ed", where="test"),
)
PAYLOAD = {"sub": "ada", "aud": "groundswell", "iss": "groundswell", "exp": NOW + 600}


@pytest.fixture(name="verifier")
def fixture_verifier(world: Any) -> TokenVerifier:
    """Knows one key of each algorithm, and no key without a name."""
    return TokenVerifier(
        KEYS, audience="groundswell", issuer="groundswell", leeway=30, clock=world.clock,
        remembered=3,
    )  # fmt: skip


def sign(payload: dict[str, Any] | None = None, **headers: Any) -> str:
    return jwt.encode(payload or PAYLOAD, SECRET, "HS256", headers={"kid": "hs", **headers})


def refusal(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(Refused) as caught:
        verifier.verify(token)
    assert caught.value.problem.status == 401
    return caught.value.code


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [(SECRET, "HS256", "hs"), (RSA, "RS256", "rs"), (EC, "ES256", "es"), (ED, "EdDSA", "ed")],
)
def test_each_algorithm_is_verified(
    verifier: TokenVerifier, key: Any, algorithm: str, kid: str
) -> None:
    """A good token gives its claims, the first time and from memory."""
    payload = {**PAYLOAD, "role": "moderator", "video": "v1"}
    token = jwt.encode(payload, key, algorithm, headers={"kid": kid})
    claims = verifier.verify(token)
    assert (claims.user_id, claims.role, claims.video_id) == ("ada", Role.MODERATOR, "v1")
    assert claims.expires_s == NOW + 600
    assert verifier.verify(token) is claims


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, "HS512", "hs256"])
@pytest.mark.parametrize("kid", ["hs", "rs"])
def test_an_algorithm_that_is_not_the_keys_is_refused(
    verifier: TokenVerifier, raw_token: Any, algorithm: str | None, kid: str
) -> None:
    """`alg: none` and its spellings name no key of ours."""
    assert refusal(verifier, raw_token({"alg": algorithm, "kid": kid}, PAYLOAD)) == "token_invalid"


@pytest.mark.parametrize("kid", ["rs", "es", "ed", "hs"])
def test_a_public_key_is_no_hmac_secret(verifier: TokenVerifier, raw_token: Any, kid: str) -> None:
    """The classic confusion: HS256 over a key that everybody has."""
    for private in (RSA, EC, ED):
        unsigned = raw_token({"alg": "HS256", "kid": kid}, PAYLOAD).rpartition(".")[0]
        forged = hmac.digest(pem(private), unsigned.encode(), hashlib.sha256)
        token = raw_token({"alg": "HS256", "kid": kid}, PAYLOAD, forged)
        assert refusal(verifier, token) == "token_invalid"


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null", "/dev/null", "' OR 1=1 --", "https://evil.example/keys", "k" * 4000,
        "", None, 7, True, [], {}, ["hs"], "HS", "hs\x00", "unknown",
    ],
)  # fmt: skip
def test_a_kid_only_names_a_key_of_the_list(
    verifier: TokenVerifier, raw_token: Any, kid: Any
) -> None:
    """Whatever stands in `kid`, nothing is opened, fetched or raised but the refusal."""
    unsigned = raw_token({"alg": "HS256", "kid": kid}, PAYLOAD).rpartition(".")[0]
    good_signature = hmac.digest(SECRET, unsigned.encode(), hashlib.sha256)
    token = raw_token({"alg": "HS256", "kid": kid}, PAYLOAD, good_signature)
    assert refusal(verifier, token) == "token_invalid"


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk"])
def test_a_key_in_the_token_is_not_looked_at(verifier: TokenVerifier, name: str) -> None:
    """An attacker's own key, in the token or behind its link, verifies nothing."""
    stranger = rsa.generate_private_key(65537, 2048)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(stranger.public_key(), as_dict=True)
    header = {"kid": "rs", name: jwk if name == "jwk" else "https://evil.example/keys"}
    token = jwt.encode(PAYLOAD, stranger, "RS256", headers=header)
    assert refusal(verifier, token) == "token_invalid"


def test_an_unknown_critical_header_is_refused(verifier: TokenVerifier, raw_token: Any) -> None:
    """RFC 7515 section 4.1.11."""
    header = {"alg": "HS256", "kid": "hs", "crit": ["x"], "x": 1}
    unsigned = raw_token(header, PAYLOAD).rpartition(".")[0]
    signature = hmac.digest(SECRET, unsigned.encode(), hashlib.sha256)
    assert refusal(verifier, raw_token(header, PAYLOAD, signature)) == "token_invalid"


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "other"}, {"aud": None}, {"aud": []}, {"iss": "other"}, {"iss": None},
        {"exp": None}, {"exp": "soon"}, {"exp": True}, {"exp": -1}, {"exp": 1e300},
        {"exp": float("nan")}, {"exp": float("inf")}, {"exp": []},
        {"nbf": NOW + 31}, {"nbf": "x"},
        {"sub": None}, {"sub": ""}, {"sub": "a b"}, {"sub": 7}, {"sub": "x" * 65}, {"sub": "é"},
        {"sub": "<b>"}, {"video": 7}, {"video": "../x"}, {"video": ".."}, {"role": "root"},
        {"role": 7}, {"role": []}, {"role": None, "aud": {"a": 1}},
    ],
)  # fmt: skip
def test_a_claim_that_is_missing_or_wrong_is_refused(
    verifier: TokenVerifier, change: dict[str, Any]
) -> None:
    """Every claim that we use is checked, type included."""
    payload = {key: value for key, value in {**PAYLOAD, **change}.items() if value is not None}
    assert refusal(verifier, sign(payload)) == "token_invalid"


@pytest.mark.parametrize(
    ("exp", "accepted"), [(NOW - 29, True), (NOW - 31, False), (NOW - 10**6, False)]
)
def test_expiry_is_forgiven_for_the_leeway(
    verifier: TokenVerifier, exp: int, *, accepted: bool
) -> None:
    """30 seconds of clock difference, no more."""
    token = sign({**PAYLOAD, "exp": exp})
    if accepted:
        assert verifier.verify(token).expires_s == exp
    else:
        assert refusal(verifier, token) == "token_expired"


def test_a_start_in_the_future_is_forgiven_for_the_leeway(verifier: TokenVerifier) -> None:
    """The other direction of the same difference."""
    assert verifier.verify(sign({**PAYLOAD, "nbf": NOW + 29})).user_id == "ada"


def test_a_remembered_token_still_expires(verifier: TokenVerifier, world: Any) -> None:
    """Memory skips the signature, never the time."""
    token = sign()
    verifier.verify(token)
    world.clock.advance(631)
    assert refusal(verifier, token) == "token_expired"


def test_a_forged_token_is_not_found_in_memory(verifier: TokenVerifier) -> None:
    """A token that differs in one character of its signature was never verified."""
    token = sign()
    verifier.verify(token)
    flipped = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    assert refusal(verifier, flipped) == "token_invalid"


def test_memory_is_bounded(verifier: TokenVerifier) -> None:
    """Tokens beyond the bound push out the oldest and are verified all the same."""
    tokens = [sign({**PAYLOAD, "sub": f"u{n}"}) for n in range(10)]
    assert [verifier.verify(token).user_id for token in tokens * 2] == [
        f"u{n}" for n in range(10)
    ] * 2
    assert len(verifier._verified) == 3


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "a.b.c", "x" * 64 * 1024, "é", "\x00", "e30.e30.", "bnVsbA.e30.x",
        "W10.e30.x", "." * 8000, sign()[:-1], sign().rpartition(".")[0] + ".", sign() + "x",
    ],
)  # fmt: skip
def test_what_is_no_token_is_refused(verifier: TokenVerifier, token: str) -> None:
    """Garbage of any size and shape gives the same answer."""
    assert refusal(verifier, token) == "token_invalid"


def test_deep_nesting_in_a_token_is_refused(verifier: TokenVerifier, raw_token: Any) -> None:
    """A header or payload of brackets raises no RecursionError."""
    brackets = b"[" * 5000
    good = {"alg": "HS256", "kid": "hs"}
    assert refusal(verifier, raw_token(brackets, PAYLOAD)) == "token_invalid"
    unsigned = raw_token(good, brackets).rpartition(".")[0]
    signature = hmac.digest(SECRET, unsigned.encode(), hashlib.sha256)
    assert refusal(verifier, raw_token(good, brackets, signature)) == "token_invalid"


def test_the_only_key_verifies_tokens_without_a_kid(world: Any) -> None:
    """With one key there is no question which one is meant."""
    verifier = TokenVerifier(
        [KEYS[0]], audience="groundswell", issuer="groundswell", leeway=0, clock=world.clock
    )
    assert verifier.verify(jwt.encode(PAYLOAD, SECRET, "HS256")).user_id == "ada"
