"""Rows: turns, systems, flags of loss, tools, keys, escapes, ids and files."""

import json

from row_shapes import Picture, Shape, answer, asked, message, read, refuse, say, system, user

A, B = Picture("a.png"), Picture("b.png")
HI = [user("hi"), answer("ok")]


def shapes():
    def turns(*messages, **keys):
        return {"id": "x", "messages": list(messages), **keys}

    hi, ok, two = message("user", "hi"), message("assistant", "ok"), message("user", "again")
    yes = message("assistant", "yes")

    yield read("plain text", turns(hi, ok), *HI)
    yield read("text as one part", turns(message("user", [{"type": "text", "text": "hi"}]), ok), *HI)
    yield read(
        "two texts in parts",
        turns(message("user", [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]), ok),
        *HI,
    )
    yield read("several turns", turns(hi, ok, two, yes), user("hi"), answer("ok"), user("again"), answer("yes"))
    yield read("ends with a question", turns(hi, ok, two), user("hi"), answer("ok"), user("again"))
    yield read("two questions in a row", turns(hi, two, ok), user("hi"), user("again"), answer("ok"))
    yield read("two answers in a row", turns(hi, ok, yes), user("hi"), answer("ok"), answer("yes"))
    yield refuse("begins with the assistant", turns(ok, hi, yes), "assistant")
    yield refuse("no answer", turns(hi), "supervised", "assistant")
    yield refuse("no turns", turns(), "message")
    yield refuse("empty user turn", turns(message("user", ""), ok), "empty")
    yield refuse("user turn without content", turns({"role": "user"}, ok), "content", "empty")
    yield refuse("user turn of null content", turns(message("user", None), ok), "content", "empty")
    yield refuse("content of no parts", turns(message("user", []), ok), "empty")
    yield refuse("content that is a number", turns(message("user", 7), ok), "content")
    yield refuse("a turn that is a text", turns("hi", ok), "object")
    yield refuse("unknown role", turns(message("teacher", "hi"), ok), "teacher")
    for role in ("tool", "function", "observation", "developer"):
        yield refuse(f"role {role}", turns(hi, message(role, "r"), ok), role)
    yield refuse("role in capitals", turns(message("User", "hi"), ok), "User")

    yield read("system turn", turns(message("system", "Be brief."), hi, ok), system("Be brief."), *HI)
    yield read("empty system turn", turns(message("system", ""), hi, ok), system(""), *HI)
    yield read("system as parts", turns(message("system", [{"type": "text", "text": "Be"}]), hi, ok), system("Be"), *HI)
    yield read("system beside turns", turns(hi, ok, system="Be brief."), system("Be brief."), *HI)
    yield read("system beside turns, empty", turns(hi, ok, system=""), *HI)
    yield read("system beside turns, null", turns(hi, ok, system=None), *HI)
    yield refuse("system twice", turns(message("system", "A"), hi, ok, system="B"), "system")
    yield refuse("system that is a list", turns(hi, ok, system=["B"]), "system")
    yield read(
        "system in the middle",
        turns(hi, ok, message("system", "S"), two, yes),
        *HI,
        system("S"),
        user("again"),
        answer("yes"),
        only="a",
    )
    yield refuse(
        "system in the middle, template drops it",
        turns(hi, ok, message("system", "Stay!"), two, yes),
        "template",
        "render",
        only="qwen3-vl",
    )

    def flagged(first, second=None):
        return turns(hi, message("assistant", "ok", **first), two, message("assistant", "yes", **(second or {})))

    no_first = [user("hi"), answer("ok", loss=False), user("again"), answer("yes")]
    all_of = [user("hi"), answer("ok"), user("again"), answer("yes")]
    for key in ("loss", "loss_mask", "weight", "train", "loss_weight", "loss_scale"):
        yield read(f"{key} false", flagged({key: False}), *no_first)
        yield read(f"{key} 0", flagged({key: 0}), *no_first)
    yield read("loss_weight 0.0", flagged({"loss_weight": 0.0}), *no_first)
    yield read("loss_scale 1.0 and 0.0", flagged({"loss_scale": 0.0}, {"loss_scale": 1.0}), *no_first)
    yield read("flags of all answers true", flagged({"train": True}, {"weight": 1}), *all_of)
    yield read("a flag of null", flagged({"loss": None}), *all_of)
    yield read("two flags that agree", flagged({"loss": False, "weight": 0}), *no_first)
    yield refuse("two flags that disagree", flagged({"loss": False, "weight": 1}), "weight", "loss")
    yield refuse("half a weight", flagged({"weight": 0.5}), "weight")
    yield refuse("weight 2", flagged({"loss_scale": 2}), "loss_scale")
    yield refuse("negative weight", flagged({"loss_weight": -1}), "loss_weight")
    yield refuse("a flag that is a text", flagged({"train": "false"}), "train")
    yield refuse("all answers out of the loss", flagged({"loss": 0}, {"loss": 0}), "supervised")
    yield refuse("a question with weight 1", turns(message("user", "hi", weight=1), ok), "weight")
    yield refuse("a question with loss_mask true", turns(message("user", "hi", loss_mask=True), ok), "loss_mask")
    yield read("a question with weight 0", turns(message("user", "hi", weight=0), ok), *HI)
    yield read("a question with train false", turns(message("user", "hi", train=False), ok), *HI)
    yield read("a question with loss true", turns(message("user", "hi", loss=True), ok), *HI)

    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    yield read("tools", turns(hi, ok, tools=[tool]), *HI, tools=[tool], only="qwen3-vl")
    yield read("tools as a text", turns(hi, ok, tools=json.dumps([tool])), *HI, tools=[tool], only="qwen3-vl")
    yield refuse("tools, template without them", turns(hi, ok, tools=[tool]), "tools", only="a")
    yield read("no tools", turns(hi, ok, tools=[]), *HI)
    yield read("no tools, text", turns(hi, ok, tools=""), *HI)
    yield refuse("tools that are no list", turns(hi, ok, tools="add"), "tools")
    for key, value in (
        ("tool_calls", [tool]),
        ("reasoning_content", "hm"),
        ("reasoning", "hm"),
        ("function_call", {"name": "f"}),
        ("tool_call_id", "1"),
    ):
        yield refuse(f"answer with {key}", turns(hi, message("assistant", "ok", **{key: value})), key)
    yield read("answer with tool_calls null", turns(hi, message("assistant", "ok", tool_calls=None, refusal=None)), *HI)
    yield read("answer with tool_calls empty", turns(hi, message("assistant", "ok", tool_calls=[])), *HI)
    yield read("answer with reasoning_content empty", turns(hi, message("assistant", "ok", reasoning_content="")), *HI)

    yield read(
        "all other keys null",
        turns(hi, ok, images=None, objects=None, videos=None, tools=None, group=None, _x=None),
        *HI,
    )
    yield read("no images, empty list", turns(hi, ok, images=[]), *HI)
    yield read("no videos, empty list", turns(hi, ok, videos=[], audios=[]), *HI)
    yield refuse(
        "key given twice",
        '{"id": "x", "messages": [{"role": "user", "content": "hi"}], "id": "x"}',
        "twice",
    )
    yield refuse(
        "role given twice",
        '{"id": "x", "messages": [{"role": "user", "role": "user", "content": "hi"}]}',
        "twice",
    )
    yield refuse(
        "key given twice, once escaped",
        '{"id": "x", "messages": [{"role": "user", "content": "hi", "conten\\u0074": "no"}]}',
        "twice",
    )
    yield refuse("unknown key", turns(hi, ok, sytem="Be brief."), "system")
    yield refuse("unknown key of a turn", turns(message("user", "hi", nmae="Bob"), ok), "nmae")
    yield refuse("keys of another case", turns(hi, ok, Images=["a.png"]), "images")
    yield read("keys with an underscore", turns(hi, message("assistant", "ok", _score=3), _source="web"), *HI)
    yield read("ignored key", turns(hi, ok, source="web"), *HI, data={"ignore_keys": ["source"]})
    yield read(
        "ignored key of a turn",
        turns(message("user", "hi", name="Bob"), ok, name=3),
        *HI,
        data={"ignore_keys": ["name"]},
    )
    yield refuse(
        "a key that is not the ignored one", turns(hi, ok, sources="web"), "sources", data={"ignore_keys": ["source"]}
    )
    yield read("a refused key, ignored", turns(hi, ok, videos=["v.mp4"]), *HI, data={"ignore_keys": ["videos"]})
    for key, value in (
        ("videos", ["v.mp4"]),
        ("video", "v.mp4"),
        ("audios", ["s.wav"]),
        ("query", "hi"),
        ("rejected_response", "no"),
        ("label", True),
        ("history", [["a", "b"]]),
    ):
        yield refuse(f"row with {key}", turns(hi, ok, **{key: value}), key)

    yield read("escaped image", asked("\\<image> here"), user("<image> here"), answer("ok"))
    yield read("escaped video and audio", asked("\\<video> \\<audio>"), user("<video> <audio>"), answer("ok"))
    yield read(
        "escaped image beside one", asked("<image>\\<image>", images=["a.png"]), user(A, "<image>"), answer("ok")
    )
    yield read("two backslashes", asked("\\\\<image>"), user("\\<image>"), answer("ok"))
    yield refuse("video in a text", asked("see <video>"), "<video>")
    yield refuse("audio in a text", asked("hear <audio>"), "<audio>")
    yield refuse("image pad in a text", asked("<|image_pad|>"), "<|image_pad|>")
    yield read("im_end in a text", asked("a<|im_end|>b"), user("a<|im_end|>b"), answer("ok"))
    yield read("bbox without objects", asked("say <bbox>"), user("say <bbox>"), answer("ok"))
    yield read("white space kept", asked("  hi \n\n", "\n ok  "), user("  hi \n\n"), answer("\n ok  "), only="a")
    yield read("jinja in a text", asked("{{ x }} {% y %} {# z #}"), user("{{ x }} {% y %} {# z #}"), answer("ok"))
    yield read("e acute decomposed", asked("cafe\u0301", "e\u0301"), user("cafe\u0301"), answer("e\u0301"))

    yield Shape("id a number", json.dumps({**turns(hi, ok), "id": 7}), {"7": HI})
    yield Shape("no id", json.dumps({"messages": [hi, ok]}) + "\n", {"line-1": HI})
    yield Shape(
        "id of a space and an umlaut", json.dumps({**turns(hi, ok), "id": "ä b"}, ensure_ascii=False), {"ä b": HI}
    )
    both = json.dumps(turns(hi, ok)) + "\n" + json.dumps(turns(two, yes)) + "\n"
    yield Shape("one id twice", both, {}, refused=("id", "x"))
    other = [user("again"), answer("yes")]
    yield Shape("one id twice, ids of lines", both, {"x#1": HI, "x#2": other}, data={"ids": "line"})
    slash = json.dumps({**turns(hi, ok), "id": "a/b"})
    yield Shape("id with a slash", slash, {}, refused=('"/"', "slash", "a/b"))
    yield Shape("id with a slash, ids of lines", slash, {"a_b#1": HI}, data={"ids": "line"})
    forms = "".join(
        json.dumps({**turns(*m), "id": id}, ensure_ascii=False) + "\n"
        for id, m in (("caf\u00e9", (hi, ok)), ("cafe\u0301", (two, yes)))
    )
    yield Shape("ids that differ by form", forms, {"caf\u00e9": HI, "cafe\u0301": other})
    rows = [turns(hi, ok), {**turns(two, yes), "id": "y"}]
    pair = {"x": HI, "y": other}
    yield Shape("JSON array", json.dumps(rows, indent=2), pair, suffix=".json")
    yield Shape("JSON array on one line", json.dumps(rows), pair, suffix=".jsonl")
    yield Shape(
        "JSON array, elements' numbers",
        json.dumps(rows, indent=1),
        {"x#1": HI, "y#2": other},
        data={"ids": "line"},
        suffix=".json",
    )
    yield Shape("JSON array cut", json.dumps(rows)[:-1], {}, refused=("JSON", "array"), suffix=".json")
    yield Shape(
        "JSON array with a comma too many", json.dumps(rows)[:-1] + ",]", {}, refused=("JSON", "array"), suffix=".json"
    )
    yield Shape("JSON array of an array", json.dumps([rows]), {}, refused=("object", "array"), suffix=".json")
    yield Shape("lines with CRLF and empty ones", "\r\n\r\n".join(json.dumps(row) for row in rows) + "\r\n", pair)
    yield Shape("byte order mark", "\ufeff" + json.dumps(rows[0]) + "\n", {"x": HI})
    yield Shape("a line cut", json.dumps(rows[0]) + "\n" + json.dumps(rows[1])[:-4], {}, refused=("JSON", "line 2"))
    yield Shape("NaN", json.dumps(rows[0])[:-1] + ', "_n": NaN}', {}, refused=("JSON",))
    yield Shape(
        "lone surrogate",
        '{"id": "x", "messages": [{"role": "user", "content": "\\ud800"}, {"role": "assistant", "content": "ok"}]}',
        {},
        refused=("JSON", "surrogate"),
    )
    yield Shape("an object over several lines", json.dumps(rows[0], indent=1), {}, refused=("line", "JSON"))
    yield Shape("an empty file", "", {}, refused=("no example", "empty"))
    yield read("group", turns(hi, ok, group={"task": "click"}), *HI)
    yield read(
        "a turn of the role user with two images",
        turns(message("user", "<image><image>both"), ok, images=["a.png", "b.png"]),
        user(A, B, "both"),
        answer("ok"),
    )
    yield read(
        "image in the answer",
        turns(hi, message("assistant", "<image>ok"), images=["a.png"]),
        user("hi"),
        say("assistant", A, "ok"),
        only="a",
    )
