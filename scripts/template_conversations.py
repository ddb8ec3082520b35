"""Conversations of which scripts/make-template-fixtures.py makes the fixtures: messages as transformers takes them,
with `loss` as rows have it.
"""

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAsAAAAJAQAAAADMH+uAAAAAJElEQVR42mMIOsCgcYBhzQKG6AUMpxoY7h1gyGtgiH"
    "7AkPAAAIkPCpOCWBe6AAAAAElFTkSuQmCC"
)


def image(text=None, after=None):
    parts = [{"type": "image", "image": PIXEL}]
    parts += [{"type": "text", "text": text}] if text else []
    return parts + (image(after) if after else [])


def user(content):
    return {"role": "user", "content": content}


def system(content):
    return {"role": "system", "content": content}


def says(content, thoughts=None, **more):
    message = {"role": "assistant", "content": content, **more}
    return message if thoughts is None else {**message, "reasoning_content": thoughts}


def tool(content):
    return {"role": "tool", "content": content}


def call(name, wrapped=True, **arguments):
    made = {"name": name, "arguments": arguments}
    return {"type": "function", "function": made} if wrapped else made


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "zoom",
            "description": "Enlarges a région of the image <b>&'",
            "parameters": {"type": "object", "properties": {"bbox": {"type": "array"}, "factor": {"default": 1.5}}},
        },
    }
]

CONVERSATIONS = [
    [user("What is 2 + 2?"), says("4")],
    [user(image("Where is the button?")), says("At (12, 34).")],
    [user(image("Where is the button?")), says("At (12, 34).", "It is blue,\nnear the edge.")],
    [user(image("Where?")), says("<think>\nLeft of it.\n</think>\n\n(1, 2)")],
    [user("Where?"), says("<think>Left of it.</think>(1, 2)")],
    [user("Where?"), says("<think>\n\n</think>\n\n(1, 2)")],
    [user("Where?"), says("(1, 2)", "")],
    [user("Where?"), says("(1, 2)", " \n ")],
    [system("You point at things."), user(image("Q1")), says("A1"), user("Q2"), says("A2")],
    [user(image("Q1")), says("A1", "R1"), user("Q2"), says("A2", "R2")],
    [user(image("Q1")), says("A1", "R1"), user("Q2"), says("A2"), user("Q3"), says("A3", "R3\n\nmore")],
    [user("Q1"), says("<think>\nR1\n</think>\n\nA1"), user(image("Q2")), says("A2"), user("Q3"), says("A3")],
    [user(image("Q1", "and")), says("A1", loss=False), user("Q2"), says("A2")],
    [user(image("Q1")), says("A1"), user("Q2"), says("A2", loss=False)],
    [user(image("Q1")), says("A1", "R1"), user("Thank you.")],
    [user(image("Q1")), says("A1"), user(image("Q2")), says("A2", "R2"), user(image("Q3")), says("A3")],
    [user("  leading and trailing \n\n"), says("\n  an answer with white space \t\n")],
    [user("\u3000ideographic\u00a0space\u2003"), says("\u2003answer\u3000", "\u00a0thought\u3000")],
    [user("Ünïcödé e\u0301 Å \u212b ﬁ"), says("нет े\u0947 क्षि ಕ್ಷ 👩\u200d🚀 ทำไม", "حَرَكَات שָׁלוֹם")],
    [system(" \n be brief \n"), user("\nQ\n"), says("A\n\nB\n\n\nC", "R\n\n\nS\n")],
    [user("What does </tool_call> mean, or <tool_call>?"), says("It ends a <tool_call>.\n")],
    [user("Q <|endoftext|> R"), says("A <|endoftext|>")],
    [user(image("Look.")), says("", tool_calls=[call("zoom", bbox=[1, 2, 3, 4])]), tool("done"), says("It is red.")],
    [
        system("S"),
        user(image("Look twice.")),
        says("I will.", "First left.", tool_calls=[call("zoom", bbox=[1], factor=0.5), call("zoom", False, why="é\n")]),
        tool("left"),
        tool("right"),
        says("", "Now on.", tool_calls=[call("zoom", on=True, off=None, deep={"a": [1e-7, 2.0]})]),
        tool("over"),
        says("Blue."),
    ],
    [
        user("Q1"),
        says("", "R0", tool_calls=[call("zoom", bbox=[])]),
        tool("r"),
        says("A1", "R1"),
        user("Q2"),
        says("A2"),
    ],
    [user("Q1"), says("", tool_calls=[call("zoom", n=3)]), tool("r"), says("A1", loss=False), user("Q2"), says("A2")],
    [user("<tool_response>\nx\n</tool_response>"), says("A")],
    [user("Q"), says("A1"), user("<tool_response>\nx\n</tool_response>"), says("A2", "R2")],
    [user("Q"), says("before <think>R</think> A")],
    [user("Q"), says("<think>R</think> A </think> B")],
    [user("Q1"), says("before <think>R</think> A", loss=False), user("Q2"), says("A2")],
    [user([{"type": "text", "text": "two "}, {"type": "text", "text": "parts"}]), says("A")],
    [user("Q"), system("late"), says("A")],
    [system("S"), says("A0"), user("Q"), says("A")],
    [user("Q1"), says("A1"), says("A2", "R2")],
    [user("1e16 and <image> as text"), says("{{ x }} {% y %} {# z #}", "{{ x }}")],
]
WITH_TOOLS = [22, 23, 24, 1]


def without_thoughts(messages):
    """The same conversation for templates that render no thoughts."""
    return [{key: value for key, value in m.items() if key != "reasoning_content"} for m in messages]
