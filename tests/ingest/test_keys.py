"""Keys of the operator: what is refused at start."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from groundswell.contract.settings import AuthSettings
from groundswell.ingest.keys import BadKey, load_keys

STRONG = "s" * 32


def pem(private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    public = private.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    """A folder with one key file of each kind."""
    (tmp_path / "rsa.pem").write_text(pem(rsa.generate_private_key(65537, 2048)))
    (tmp_path / "weak.pem").write_text(pem(rsa.generate_private_key(65537, 1024)))  # noqa: S505 - weak on purpose
    (tmp_path / "p256.pem").write_text(pem(ec.generate_private_key(ec.SECP256R1())))
    (tmp_path / "p384.pem").write_text(pem(ec.generate_private_key(ec.SECP384R1())))
    (tmp_path / "ed.pem").write_text(pem(ed25519.Ed25519PrivateKey.generate()))
    (tmp_path / "secret").write_text(STRONG + "\n")
    return tmp_path


def write(folder: Path, text: str) -> AuthSettings:
    file = folder / "keys.toml"
    file.write_text(text)
    return AuthSettings(keys=str(file))


def test_keys_of_every_algorithm_are_read(folder: Path) -> None:
    """A key file names each key's algorithm; files are found beside it."""
    settings = write(
        folder,
        f"""
        [[key]]
        kid = "a"
        algorithm = "HS256"
        secret = "{STRONG}"
        [[key]]
        kid = "b"
        algorithm = "HS256"
        secret_file = "secret"
        [[key]]
        kid = "c"
        algorithm = "RS256"
        public_key_file = "rsa.pem"
        [[key]]
        kid = "d"
        algorithm = "ES256"
        public_key_file = "p256.pem"
        [[key]]
        kid = "e"
        algorithm = "EdDSA"
        public_key_file = "ed.pem"
        """,
    )
    keys = load_keys(settings)
    assert [(key.kid, key.algorithm) for key in keys] == [
        ("a", "HS256"), ("b", "HS256"), ("c", "RS256"), ("d", "ES256"), ("e", "EdDSA"),
    ]  # fmt: skip
    assert keys[1].material == STRONG.encode()


def test_a_secret_is_never_shown(folder: Path) -> None:
    """A key's representation, which may reach a log, holds no key."""
    assert STRONG not in repr(load_keys(AuthSettings(secret=STRONG)))


@pytest.mark.parametrize(
    "table",
    [
        'algorithm = "HS256"\nsecret = "short"',
        'algorithm = "none"\nsecret = "ssssssssssssssssssssssssssssssss"',
        'algorithm = "hs256"\nsecret = "ssssssssssssssssssssssssssssssss"',
        'algorithm = "HS256"\nsecret_file = "rsa.pem"',
        'algorithm = "HS256"\npublic_key_file = "rsa.pem"',
        'algorithm = "RS256"\nsecret = "ssssssssssssssssssssssssssssssss"',
        'algorithm = "RS256"\npublic_key_file = "weak.pem"',
        'algorithm = "RS256"\npublic_key_file = "p256.pem"',
        'algorithm = "ES256"\npublic_key_file = "p384.pem"',
        'algorithm = "EdDSA"\npublic_key_file = "p256.pem"',
        'algorithm = "EdDSA"\npublic_key_file = "absent.pem"',
        'algorithm = "RS256"\npublic_key_file = "secret"',
        'algorithm = "HS256"\nsecret = "ssssssssssssssssssssssssssssssss"\njku = "https://x"',
        "kid = 7",
        'algorithm = "HS256"',
    ],
)
def test_an_unfit_key_stops_the_start(folder: Path, table: str) -> None:
    """Weak, mistyped or mismatched keys are refused before anything is served."""
    settings = write(folder, f"[[key]]\n{table}")
    with pytest.raises(BadKey) as caught:
        load_keys(settings)
    assert STRONG not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "x" * 31])
def test_no_secret_or_a_weak_one_stops_the_start(secret: str) -> None:
    """There is no default key."""
    with pytest.raises(BadKey):
        load_keys(AuthSettings(secret=secret))


def test_two_keys_of_one_name_stop_the_start(folder: Path) -> None:
    """Which of the two would be meant?"""
    key = f'[[key]]\nkid = "a"\nalgorithm = "HS256"\nsecret = "{STRONG}"\n'
    with pytest.raises(BadKey):
        load_keys(write(folder, key + key))


@pytest.mark.parametrize("text", ["", "key = 3", "not toml", "[other]\na = 1"])
def test_an_unreadable_key_file_stops_the_start(folder: Path, text: str) -> None:
    """The error names the file."""
    with pytest.raises(BadKey, match=r"keys\.toml"):
        load_keys(write(folder, text))
