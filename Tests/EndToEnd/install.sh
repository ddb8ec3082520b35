# The program with completions and its manual, copied to a folder: both are what the parser says, of every command.
check "an installation" env IMAGELORA="$IMAGELORA" "$top/scripts/install.sh" --prefix "$work/installed"
share=$work/installed/share
check "the program runs there" "$work/installed/bin/imagelora" --version
names_every_command() {
  python3 - "$@" <<'PYTHON'
import json, re, subprocess, sys
program, manual, *completions = sys.argv[1:]
described = json.loads(subprocess.run([program, "--experimental-dump-help"], capture_output=True, check=True).stdout)
page = open(manual).read().replace("\\-", "-")
def walk(command, path):
    here = [*path, command["commandName"]]
    if path:
        heading = f'.SH "{" ".join(here).upper()}"' if len(path) == 1 else f'.SS "{" ".join(here)}"'
        assert heading in page, heading
        for file in completions:
            assert re.search(rf"\b{here[-1]}\b", open(file).read()), (file, here)
    count = 1
    for argument in command["arguments"]:
        if argument["shouldDisplay"]:
            for name in argument.get("names", []):
                assert f'{"--" if name["kind"] == "long" else "-"}{name["name"]}' in page, name
    for inner in command.get("subcommands", []):
        if inner["shouldDisplay"] and inner["commandName"] != "help":
            count += walk(inner, here)
    return count
count = walk(described["command"], [])
assert count > 15, count
assert "png" not in page.split('.SS "imagelora scores show"')[1].split(".SS")[0], "a hidden option"
PYTHON
}
check "manual and completions name every command" names_every_command "$IMAGELORA" "$share/man/man1/imagelora.1" \
  "$share/bash-completion/completions/imagelora" "$share/zsh/site-functions/_imagelora" \
  "$share/fish/vendor_completions.d/imagelora.fish"

# The program for x86-64-v4 that may lie beside the first; what an installation before left would be another build.
second=$work/installed/lib/imagelora/x86-64-v4/imagelora
check "no second program where none is given" test ! -e "$second"
check "an installation of two programs" env IMAGELORA="$IMAGELORA" IMAGELORA_V4="$IMAGELORA" \
  "$top/scripts/install.sh" --prefix "$work/installed"
check "the second is where the first looks for it" test -x "$second"
check "and goes with the next installation of one" sh -c \
  "IMAGELORA='$IMAGELORA' '$top/scripts/install.sh' --prefix '$work/installed' && ! test -e '$second'"
found=0
IMAGELORA_KERNELS=x86-64-v5 "$work/installed/bin/imagelora" --version >out 2>err || found=$?
check "another level of processors is bad usage" test "$found" = 64
check "in one line" grep -qx 'imagelora: IMAGELORA_KERNELS: give x86-64-v3 or x86-64-v4' err

check "bash reads its completions" bash -n "$share/bash-completion/completions/imagelora"
check "the manual's name and version" sh -c "head -n 1 '$share/man/man1/imagelora.1' | grep -q '^.TH IMAGELORA 1 \"\" \"imagelora [0-9]'"
found=0
"$top/scripts/install.sh" --nonsense >out 2>err || found=$?
check "an unknown option is bad usage" test "$found" = 64
