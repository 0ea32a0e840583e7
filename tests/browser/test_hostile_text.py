"""Whatever people write is text: nothing of it runs, loads or becomes an element."""

import unicodedata

import pytest
from playwright.async_api import expect

from tests.acceptance.harness.client import connect
from tests.acceptance.harness.embedded import Embedded
from tests.browser.harness.audience import Audience

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

RUN = "window.hacked=1,alert(1)"
HOSTILE = (
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"<ScRiPt>{RUN}</sCrIpT>",
    '<script src="https://evil.example/x.js"></script>',
    f'<img src=x onerror="{RUN}">',
    f"<img src=x onerror={RUN}//",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<body onload={RUN}>",
    f'<iframe srcdoc="<script>parent.{RUN}</script>"></iframe>',
    f'<iframe src="javascript:{RUN}"></iframe>',
    f'<a href="javascript:{RUN}">click me</a>',
    f"<a href='data:text/html,<script>{RUN}</script>'>data</a>",
    f"<details open ontoggle={RUN}>",
    f"<video><source onerror={RUN}></video>",
    f"<audio src onerror={RUN}>",
    f"<input autofocus onfocus={RUN}>",
    f"<marquee onstart={RUN}>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={RUN}>",
    f'<noscript><p title="</noscript><img src=x onerror={RUN}>">',
    f'"><img src=x onerror={RUN}>',
    f"'-{RUN}-'",
    f"${{{RUN}}}",
    f"{{{{constructor.constructor('{RUN}')()}}}}",
    f"javascript:{RUN}",
    '<style>@import "https://evil.example/x.css";*{display:none}</style>',
    '<link rel=stylesheet href="https://evil.example/x.css">',
    '<meta http-equiv=refresh content="0;url=https://evil.example/">',
    '<base href="https://evil.example/">',
    '<form action="https://evil.example/"><button>win a prize</button></form>',
    "<!-- <b>not closed",
    "&lt;b&gt;&#x3c;script&#x3e;&nbsp;&amp;",
    "]]><script>x</script><![CDATA[",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "مرحبا <b>world</b> שלום",
    "é" * 40 + "<b>",
    "W" * 480,
)


async def test_hostile_text_is_shown_as_it_was_written(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """Live, in a snapshot and as a quote; the audience fails on dialogs and broken policies."""
    live = await audience(quiet, video, user="ada")
    async with connect(quiet) as client:
        for text in HOSTILE:
            answer = await client.post_comment(video, "mallory", text)
            assert answer.status == 201, text
    written = [unicodedata.normalize("NFC", text) for text in HOSTILE]
    late = await audience(quiet, video, user="bob")
    for one in (live, late):
        await expect(one.comments).to_have_count(len(HOSTILE))
        assert await one.texts.all_text_contents() == written
        elements = one.texts.locator("*")
        await expect(elements).to_have_count(0)
        assert await one.page.evaluate("window.hacked ?? null") is None
    await late.press(HOSTILE[4], "reply")
    await expect(late.page.locator("#quote-text")).to_have_text(f"mallory: {HOSTILE[4]}")
    await expect(late.page.locator("#quote-text *")).to_have_count(0)


async def test_a_page_sends_hostile_text_without_falling_for_it(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """Also in the author's own page, before and after the ack."""
    ada = await audience(quiet, video, user="ada")
    bob = await audience(quiet, video, user="bob")
    for text in HOSTILE[:6]:
        await ada.post(text)
    for one in (ada, bob):
        await expect(one.comments).to_have_count(6)
        assert await one.texts.all_text_contents() == list(HOSTILE[:6])
        assert await one.page.evaluate("window.hacked ?? null") is None
