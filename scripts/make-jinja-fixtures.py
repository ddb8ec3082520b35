#!/usr/bin/env python3
"""Random expressions with the values that Jinja gives them, for Tests/HuggingFaceTests: integers, slices, strings.

    python scripts/make-jinja-fixtures.py [--count N] [--seed N]      # writes jinja-expressions.json of the resources

The environment is that of transformers' chat templates. A case is [expression, text]; the text is null where Jinja
fails, where it prints what is undefined, and where an integer on the way does not fit 64 bits: all of these are errors
here. Expressions that compute with what is undefined are left out: Jinja takes it for an empty text, here it is
refused.

Needs: pip install jinja2 (made with Jinja 3.1.6).
"""

import argparse
import json
import os
import random

from jinja2 import Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Tests", "HuggingFaceTests", "Resources")
LARGEST = 2**63 - 1
INTEGERS = [0, 1, 2, 3, 5, 7, 255, 2**31, 2**32, 2**62, LARGEST - 1, LARGEST]
TEXTS = [
    "",
    "a",
    "ab",
    "abcabc",
    "aaaa",
    "  x y \\n",
    "é̱x̣",
    "日本語",
    "🦙👍🏽a",
    "a,b,,c",
    "<b>&'",
    '\\"q\\t',
    "ß\u00a0 ",
    "A\\\\B",
]
PARTS = ["a", "b", "ab", "aa", ",", " ", "́", "本", "🦙", "x", "bc", "\\n", "caba"]


class Bad(Exception):
    """The expression has no value here."""


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    env.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return env


ENV = environment()


def value(source):
    """The value of an expression; fails where a value here could not be that one."""
    try:
        found = ENV.compile_expression(source, undefined_to_none=False)()
    except Exception as error:
        raise Bad(source) from error
    if isinstance(found, int) and not -LARGEST - 1 <= found <= LARGEST:
        raise Bad(source)
    return found


class Maker:
    """Makes expressions as source; `bad` is set once a part of one has no value, `undefined` is a part that is so."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.bad = False
        self.undefined = None

    def checked(self, source):
        try:
            if isinstance(value(source), Undefined):
                self.undefined = self.undefined or source
        except Bad:
            self.bad = True
        return source

    def integer(self, depth):
        r = self.random
        if depth == 0 or r.random() < 0.2:
            number = r.choice([*INTEGERS, r.randrange(100), r.randrange(LARGEST)])
            form = r.randrange(6)
            if form == 0:
                return r.choice(["true", "false"])
            if form == 1 and number == LARGEST:
                return f"(-{LARGEST} - 1)"
            return f"(-{number})" if form < 3 else str(number)
        form = r.randrange(8)
        if form < 6:
            symbol = r.choice(["+", "-", "*", "//", "%", "//", "%"])
            return self.checked(f"({self.integer(depth - 1)} {symbol} {self.integer(depth - 1)})")
        if form == 6:
            return self.checked(f"(-{self.integer(depth - 1)})")
        return self.checked(f"({self.text(depth - 1)}|length)")

    def bound(self):
        r = self.random
        return r.choice(["", "", "none", *map(str, range(-7, 8)), str(LARGEST), f"-{LARGEST}", f"(-{LARGEST} - 1)"])

    def slice(self):
        step = self.bound() if self.random.random() < 0.6 else None
        return f"[{self.bound()}:{self.bound()}" + (f":{step}]" if step is not None else "]")

    def quoted(self, texts):
        return '"' + self.random.choice(texts) + '"'

    def text(self, depth):
        r = self.random
        if depth == 0 or r.random() < 0.15:
            return self.quoted(TEXTS)
        form = r.randrange(12)
        if form == 10:
            return self.checked(f"({self.list(depth - 1)}|join({r.choice(['', self.quoted(PARTS)])}))")
        inner = self.text(depth - 1)
        if form < 4:
            return self.checked(f"({inner}{self.slice()})")
        if form == 4:
            return self.checked(f"({inner}[{self.integer(0)}])")
        if form == 5:
            strip = r.choice(["strip", "lstrip", "rstrip"])
            return self.checked(f"({inner}.{strip}({r.choice(['', self.quoted(PARTS)])}))")
        if form == 6:
            return self.checked(f"({inner}.replace({self.quoted(PARTS)}, {self.quoted(TEXTS)}))")
        if form == 7:
            return self.checked(f"({inner} {r.choice('+~')} {self.text(depth - 1)})")
        if form == 8:
            return self.checked(f"({inner} ~ {self.integer(depth - 1)})")
        if form == 9:
            return self.checked(f"({inner}|{r.choice(['first', 'last', 'trim', 'string'])})")
        return self.checked(f"({inner}|tojson)")

    def list(self, depth):
        r = self.random
        form = r.randrange(4)
        if form == 0:
            return self.checked(f"({self.text(max(depth, 0))}.split({self.quoted(PARTS)}))")
        if form == 1:
            return self.checked(f"({self.text(max(depth, 0))}|list)")
        if form == 2:
            return self.checked(f"((range({r.randrange(9)}, {r.randrange(14)})|list){self.slice()})")
        return self.checked(f"([{self.text(0)}, {self.text(0)}, {self.integer(0)}]{self.slice()})")

    def boolean(self, depth):
        r = self.random
        form = r.randrange(4)
        if form == 0:
            return f"({self.integer(depth)} {r.choice(['<', '<=', '>', '>=', '==', '!='])} {self.integer(depth)})"
        if form == 1:
            return f"({self.quoted(PARTS)} {r.choice(['in', 'not in'])} {self.text(depth)})"
        if form == 2:
            return f"({self.text(depth)}.{r.choice(['startswith', 'endswith'])}({self.quoted(PARTS)}))"
        return f"({self.text(depth)} {r.choice(['==', '!='])} {self.text(depth)})"

    def case(self):
        """An expression and its text; nothing if a part of it is undefined."""
        self.bad, self.undefined = False, None
        make = self.random.choice([self.integer, self.integer, self.text, self.text, self.list, self.boolean])
        source = make(self.random.randint(1, 3))
        if make == self.list:
            source = f"{source}|tojson"
        if self.undefined not in (None, source):
            return None
        if self.bad or self.undefined:
            return source, None
        try:
            value(source)
            return source, ENV.from_string("{{ " + source + " }}").render()
        except Exception:
            return source, None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--count", type=int, default=800, help="number of expressions")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--to", default=os.path.join(ROOT, "jinja-expressions.json"), help="the file to write")
    a = p.parse_args()
    maker = Maker(a.seed)
    cases = {}
    while len(cases) < a.count:
        # A tag has at most 512 tokens here.
        if (case := maker.case()) and len(case[0]) < 400:
            cases[case[0]] = case[1]
    with open(a.to, "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(case) for case in cases.items()) + "\n]\n")


if __name__ == "__main__":
    main()
