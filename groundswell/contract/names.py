"""What a video, a user and a client's reference may be called."""

import re

VIDEO_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
# Wide enough for the subjects that identity providers issue ("auth0|5f7c", an e-mail address),
# without white space, quotes, brackets or anything else that needs escaping in JSON or HTML.
USER_ID = re.compile(r"[A-Za-z0-9_.@:|+=~-]{1,64}", re.ASCII)
REF = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)


def is_video_id(text: str) -> bool:
    """Tell whether a video may have this id."""
    # "." and ".." would be path segments that proxies and browsers rewrite.
    return VIDEO_ID.fullmatch(text) is not None and text not in {".", ".."}


def is_user_id(text: str) -> bool:
    """Tell whether a user may have this id."""
    return USER_ID.fullmatch(text) is not None


def is_ref(text: str) -> bool:
    """Tell whether a client may use this `ref` or `Idempotency-Key`."""
    return REF.fullmatch(text) is not None
