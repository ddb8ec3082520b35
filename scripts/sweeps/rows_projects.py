"""Rows as the documentation of OpenAI, LLaVA and ShareGPT has them."""

from row_shapes import Picture, answer, asked, message, read, refuse, system, text, user

A, B = Picture("a.png"), Picture("b.png")


def shapes():
    # OpenAI, vision fine-tuning: no id, image_url objects, weights of answers.
    yield read(
        "OpenAI vision",
        {
            "messages": [
                message("system", "You are brief."),
                message(
                    "user",
                    [text("What is it?"), {"type": "image_url", "image_url": {"url": "a.png", "detail": "auto"}}],
                ),
                message("assistant", "A cat."),
            ]
        },
        system("You are brief."),
        user("What is it?", A),
        answer("A cat."),
        id="line-1",
    )
    yield read(
        "OpenAI weights",
        {
            "messages": [
                message("user", "Who?"),
                message("assistant", "Paris", weight=0),
                message("user", "Sure?"),
                message("assistant", "Yes", weight=1),
            ]
        },
        user("Who?"),
        answer("Paris", loss=False),
        user("Sure?"),
        answer("Yes"),
        id="line-1",
    )
    yield refuse(
        "OpenAI tool calls",
        {
            "messages": [
                message("user", "Who?"),
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                },
            ],
            "tools": [],
        },
        "tool_calls",
    )
    yield refuse(
        "OpenAI preferences",
        {
            "input": {"messages": [message("user", "Who?")]},
            "preferred_output": [message("assistant", "A")],
            "non_preferred_output": [message("assistant", "B")],
        },
        "input",
        "preferred_output",
        "messages",
    )
    yield refuse(
        "OpenAI named speaker", {"messages": [message("user", "Who?", name="Bob"), message("assistant", "A")]}, "name"
    )

    # LLaVA: human and gpt, the image first or last on a line of its own.
    llava = {
        "id": "x",
        "image": "a.png",
        "conversations": [{"from": "human", "value": "<image>\nWhat is it?"}, {"from": "gpt", "value": "A cat."}],
    }
    yield read("LLaVA", llava, user(A, "\nWhat is it?"), answer("A cat."))
    yield read(
        "LLaVA, image last",
        {
            **llava,
            "conversations": [{"from": "human", "value": "What is it?\n<image>"}, {"from": "gpt", "value": "A cat."}],
        },
        user("What is it?\n", A),
        answer("A cat."),
    )
    yield read(
        "LLaVA, text alone",
        {"id": "x", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]},
        user("Hi"),
        answer("Ho"),
    )
    yield read(
        "LLaVA, model key",
        {**llava, "model": ""},
        user(A, "\nWhat is it?"),
        answer("A cat."),
        data={"ignore_keys": ["model"]},
    )
    yield refuse("LLaVA, video", {"id": "x", "video": "v.mp4", "conversations": llava["conversations"]}, "video")
    yield refuse(
        "LLaVA, unknown speaker",
        {**llava, "conversations": [{"from": "bot", "value": "<image>Hi"}, {"from": "gpt", "value": "Ho"}]},
        "bot",
    )
    yield read(
        "LLaVA-OneVision, several images",
        {
            "id": "x",
            "image": ["a.png", "b.png"],
            "conversations": [{"from": "human", "value": "<image><image>Same?"}, {"from": "gpt", "value": "No"}],
        },
        user(A, B, "Same?"),
        answer("No"),
    )

    # ShareGPT: a system beside the turns or among them.
    yield read(
        "ShareGPT",
        {
            "id": "x",
            "system": "Be brief.",
            "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}],
        },
        system("Be brief."),
        user("Hi"),
        answer("Ho"),
    )
    yield read(
        "ShareGPT, system turn",
        {
            "id": "x",
            "conversations": [
                {"from": "system", "value": "Be brief."},
                {"from": "human", "value": "Hi"},
                {"from": "gpt", "value": "Ho"},
            ],
        },
        system("Be brief."),
        user("Hi"),
        answer("Ho"),
    )
    yield read(
        "ShareGPT, user and assistant",
        {"id": "x", "conversations": [{"from": "user", "value": "Hi"}, {"from": "assistant", "value": "Ho"}]},
        user("Hi"),
        answer("Ho"),
    )
    yield read(
        "conversations with role and content",
        {"id": "x", "conversations": [message("user", "Hi"), message("assistant", "Ho")]},
        user("Hi"),
        answer("Ho"),
    )
    yield refuse(
        "ShareGPT, function_call",
        {
            "id": "x",
            "tools": "[]",
            "conversations": [
                {"from": "human", "value": "Hi"},
                {"from": "function_call", "value": "{}"},
                {"from": "observation", "value": "1"},
                {"from": "gpt", "value": "Ho"},
            ],
        },
        "function_call",
    )
    yield refuse(
        "ShareGPT, observation",
        {
            "id": "x",
            "conversations": [
                {"from": "human", "value": "Hi"},
                {"from": "observation", "value": "1"},
                {"from": "gpt", "value": "Ho"},
            ],
        },
        "observation",
    )
    yield refuse(
        "a turn of both forms",
        {
            "id": "x",
            "conversations": [
                {"from": "human", "value": "Hi", "role": "user", "content": "Hi"},
                {"from": "gpt", "value": "Ho"},
            ],
        },
        "both",
    )
    yield refuse(
        "messages and conversations", {**asked("hi"), "conversations": [{"from": "human", "value": "Hi"}]}, "both"
    )
