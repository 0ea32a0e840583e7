"""Any bytes are a body or a refusal, and quickly."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.contract.messages import CommentBody, ReactionRemoval
from groundswell.contract.problems import Refused
from groundswell.ingest.bodies import JsonBody

BODY = JsonBody(CommentBody)
REMOVAL = JsonBody(ReactionRemoval)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["commentText", "userID", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def outcome(form: JsonBody[Any], body: bytes) -> Any:
    """Return the decoded body, or the code of the refusal."""
    try:
        return form.decode(body)
    except Refused as refused:
        return refused.code


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing but `Refused` is raised."""
    for form in (BODY, REMOVAL):
        result = outcome(form, body)
        assert result in {"bad_json", "bad_field"} or isinstance(
            result, CommentBody | ReactionRemoval
        )


@settings(max_examples=200)
@given(json_values)
def test_json_of_another_form_is_refused(value: Any) -> None:
    """What is read agrees with the standard library's reader."""
    result = outcome(BODY, json.dumps(value).encode())
    if isinstance(result, CommentBody):
        assert result.commentText == value["commentText"]
        assert result.userID == value.get("userID")
        assert "x" not in value
    else:
        assert result in {"bad_json", "bad_field"}


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_survives(text: str) -> None:
    """Escaped or not, a text is read as it was written."""
    for ascii_only in (True, False):
        body = json.dumps({"commentText": text}, ensure_ascii=ascii_only).encode()
        assert BODY.decode(body).commentText == text
