"""What tests of pages share: signing in, and reading pages as browsers do."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

VOID = {"meta", "link", "input", "br", "rect", "path"}
COOKIE = "amper_session"


class Page(HTMLParser):
    """Tags with their attributes, and words; an error where tags are not closed in order."""

    def __init__(self, response):
        super().__init__(convert_charrefs=True)
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        self.tags, self.open, self.words = [], [], []
        self.feed(response.text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag, **wanted):
        return [found for name, found in self.tags if name == tag and wanted.items() <= found.items()]

    def one(self, tag, **wanted):
        (found,) = self.all(tag, **wanted)
        return found

    @property
    def addresses(self):
        names = ("href", "src", "action", "formaction", "poster", "srcset", "data", "xlink:href")
        return [found[name] for _, found in self.tags for name in names if name in found]


def check_self_contained(response):
    """Check that a page needs nothing from elsewhere, and has nothing in it that runs or paints by itself."""
    policy = response.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert policy.count("form-action") == 1
    page = Page(response)
    for address in page.addresses:
        parts = urlsplit(address)
        assert not parts.scheme, address
        assert not parts.netloc, address
    for tag, found in page.tags:
        assert tag != "style"
        assert tag != "script" or "src" in found
        assert not [name for name in found if name.startswith("on") or name == "style"]
    return page


def sign_in(client, token, **fields):
    response = client.post("/sign-in", data={"token": token, **fields})
    assert response.status_code == 303, response.text
    return response
