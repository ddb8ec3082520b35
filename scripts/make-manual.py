#!/usr/bin/env python3
"""The manual page, from what the program's own parser says of itself; standard library alone.

imagelora --experimental-dump-help | make-manual.py VERSION > imagelora.1
"""

import json
import re
import sys


def text(words):
    """Words of a line, for troff: its own characters are escaped."""
    words = words.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", words)


def name(argument):
    """As `--set <key=value>`, `<run-file>`."""
    names = ", ".join(("-" if n["kind"] == "short" else "--") + n["name"] for n in argument.get("names", []))
    value = "" if argument["kind"] == "flag" else f"<{argument['valueName']}>"
    return " ".join(part for part in (names, value) if part)


def usage(command, path):
    """The synopsis: what must be given, and what may be."""
    words = [*path, command["commandName"]]
    for argument in arguments(command, path):
        word = name({**argument, "names": argument.get("names", [])[-1:]})
        word += " ..." if argument["isRepeating"] else ""
        words.append(f"[{word}]" if argument["isOptional"] else word)
    return " ".join(words) + (" <command>" if shown(command.get("subcommands", [])) else "")


def shown(items):
    return [item for item in items if item.get("shouldDisplay") and item.get("commandName") != "help"]


def arguments(command, path):
    """What every command takes is said once, of the program."""
    common = {"version", "help"} if path else set()
    named = shown(command.get("arguments", []))
    return [a for a in named if not common & {n["name"] for n in a.get("names", [])}]


def paragraphs(words):
    """Paragraphs are filled; indented lines, as examples are, stand as they are."""
    plain = True
    for line in words.splitlines():
        if line.startswith(" ") == plain:
            plain = not plain
            yield ".fi\n.RE" if plain else ".RS\n.nf"
        yield text(line.strip()) if line.strip() else ".P"
    if not plain:
        yield ".fi\n.RE"


def section(command, path):
    here = " ".join([*path, command["commandName"]])
    if path:
        yield f'.SH "{here.upper()}"' if len(path) == 1 else f'.SS "{here}"'
        yield f"{text(command.get('abstract', ''))}\n.P\n{text(usage(command, path))}"
    if command.get("discussion"):
        yield ".P"
        yield from paragraphs(command["discussion"])
    for argument in arguments(command, path):
        default = f" (default: {argument['defaultValue']})" if "defaultValue" in argument else ""
        yield f".TP\n.B {text(name(argument))}\n{text(argument.get('abstract', '') + default)}"
    for inner in shown(command.get("subcommands", [])):
        yield from section(inner, [*path, command["commandName"]])


def page(command, version):
    program = command["commandName"]
    yield f'.TH {program.upper()} 1 "" "{program} {version}"'
    yield f".SH NAME\n{program} \\- {text(command.get('abstract', ''))}"
    yield f".SH SYNOPSIS\n{text(usage(command, []))}\n.SH DESCRIPTION"
    yield from section({**command, "subcommands": []}, [])
    yield ".SH COMMANDS"
    commands = shown(command["subcommands"])
    yield from (f".TP\n.B {text(inner['commandName'])}\n{text(inner['abstract'])}" for inner in commands)
    for inner in commands:
        yield from section(inner, [program])


def main():
    version = sys.argv[1] if len(sys.argv) > 1 else ""
    print("\n".join(page(json.load(sys.stdin)["command"], version)))


if __name__ == "__main__":
    main()
