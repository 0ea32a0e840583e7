"""Secrets that are made once and kept in the data folder, where the operator set none."""

import os
import secrets
from pathlib import Path

SECRET_BYTES = 36  # 48 characters: more than any algorithm of ours can use
SECRET_CHARACTERS_MIN = 32


class SecretUnusable(Exception):
    """The file of a secret cannot be made, read, or holds something else."""


def development_secret(data: Path, name: str) -> str:
    """Return the secret in `data/name`, which is made, with its folder, if it is not there.

    Only the owner may read it. Processes that come at the same time get the same secret, and once
    returned it is on stable storage: comment ids made with it stay valid. Raises `SecretUnusable`.
    """
    file = data / name
    try:
        if not file.exists():
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(file, secrets.token_urlsafe(SECRET_BYTES))
        secret = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretUnusable(f"cannot use {file}: {error}") from error
    if len(secret) < SECRET_CHARACTERS_MIN:
        raise SecretUnusable(
            f"{file} has {len(secret)} characters, needs {SECRET_CHARACTERS_MIN}: restore it from "
            "a backup, or delete it to have a new one made"
        )
    return secret


def _create(file: Path, secret: str) -> None:
    # Written under another name and then linked: nobody ever reads half a secret, and of several
    # processes one wins. link() fails where the name exists, as O_EXCL does.
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(secret + "\n")
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            return
        _sync_folder(file.parent)
    finally:
        draft.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
