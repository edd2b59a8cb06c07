#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Is a page well formed, and does it need nothing else (no script, no network)?

usage: check_html.py FILE...        exit 0: good; 1: a fault, with its line; 2: usage
"""
import html.parser
import re
import sys

VOID = {"meta", "br", "hr", "img", "input", "link"}
FORBIDDEN = {"script", "iframe", "object", "embed", "link", "img", "base", "form"}


class Fault(Exception):
    pass


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open = []
        self.count = {}
        self.text = []

    def fault(self, what):
        raise Fault(f"line {self.getpos()[0]}: {what}")

    def see(self, tag, attrs):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag in FORBIDDEN:
            self.fault(f"<{tag}> needs something else")
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.fault(f"<{tag}> has an attribute twice")
        for name, value in attrs:
            if name.startswith("on") or name in ("src", "href", "xlink:href", "srcset", "action"):
                self.fault(f"<{tag} {name}> runs or loads something")
            if value and re.search(r"url\(|nan|inf(inity)?\b", value, re.I):
                self.fault(f"<{tag} {name}={value!r}>")

    def handle_starttag(self, tag, attrs):
        self.see(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.see(tag, attrs)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.fault(f"</{tag}> closes what is not open")

    def handle_data(self, data):
        self.text.append(data)


def check(path):
    with open(path, encoding="utf-8") as f:
        source = f.read()
    bad = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", source)
    if bad:
        raise Fault(f"control character at {bad.start()}")
    if re.search(r"&(?!(amp|lt|gt|quot|#\d+);)", source):
        raise Fault("an & stands bare")
    page = Page()
    page.feed(source)
    page.close()
    if page.open:
        raise Fault(f"<{page.open[-1]}> is never closed")
    for tag in ("html", "head", "title", "body", "style", "table", "h1"):
        if not page.count.get(tag):
            raise Fault(f"there is no <{tag}>")
    if re.search(r"@import|url\(", source):
        raise Fault("the style loads something")


def main(paths):
    if not paths:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    for path in paths:
        try:
            check(path)
        except (Fault, ValueError, OSError) as fault:
            print(f"{path}: {fault}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
