"""Rows as the documentation of ms-swift, LLaMA-Factory, UI-TARS, axolotl, TRL and others has them."""

from row_shapes import Box, Picture, answer, asked, message, read, refuse, system, text, user

A, B = Picture("a.png"), Picture("b.png")


def shapes():
    # ms-swift.
    swift = {
        "messages": [
            message("system", "You are helpful."),
            message("user", "<image>What is it?"),
            message("assistant", "A cat."),
        ],
        "images": ["a.png"],
    }
    yield read("ms-swift", swift, system("You are helpful."), user(A, "What is it?"), answer("A cat."), id="line-1")
    yield read(
        "ms-swift, loss",
        {
            "messages": [
                message("user", "1"),
                message("assistant", "2", loss=False),
                message("user", "3"),
                message("assistant", "4", loss=True),
            ]
        },
        user("1"),
        answer("2", loss=False),
        user("3"),
        answer("4"),
        id="line-1",
    )
    yield read(
        "ms-swift, loss_scale",
        {
            "messages": [
                message("user", "1"),
                message("assistant", "2", loss_scale=0.0),
                message("user", "3"),
                message("assistant", "4", loss_scale=1.0),
            ]
        },
        user("1"),
        answer("2", loss=False),
        user("3"),
        answer("4"),
        id="line-1",
    )
    box = (10, 15, 50, 45)
    ground = {
        "messages": [message("user", "<image>Find <ref-object>"), message("assistant", "<bbox>")],
        "images": ["a.png"],
        "objects": {"ref": ["cat"], "bbox": [list(box)]},
    }
    yield read("ms-swift, grounding", ground, user(A, "Find cat"), answer(Box(box)), id="line-1")
    yield read(
        "ms-swift, grounding without images",
        {**ground, "images": ["a.png"], "videos": [], "audios": [], "rejected_response": ""},
        user(A, "Find cat"),
        answer(Box(box)),
        id="line-1",
    )
    many = {
        "messages": [
            message("user", "<image>Describe"),
            message("assistant", "<ref-object><bbox> and <ref-object><bbox>"),
        ],
        "images": ["a.png"],
        "objects": {
            "ref": ["cat", "dog"],
            "bbox": [[10, 15, 50, 45], [20, 30, 99, 79]],
            "bbox_type": "real",
            "image_id": [0, 0],
        },
    }
    yield read(
        "ms-swift, two objects",
        many,
        user(A, "Describe"),
        answer("cat", Box(box), " and dog", Box((20, 30, 99, 79))),
        id="line-1",
    )
    yield refuse("ms-swift, rejected", {**swift, "rejected_response": "A dog."}, "rejected_response")
    yield read(
        "ms-swift, query and response",
        {"system": "Be brief.", "query": "hi", "response": "ok", "history": [["a", "b"]]},
        system("Be brief."),
        user("a"),
        answer("b"),
        user("hi"),
        answer("ok"),
        id="line-1",
    )
    yield read(
        "ms-swift, image of path",
        {**swift, "images": [{"bytes": None, "path": "a.png"}]},
        system("You are helpful."),
        user(A, "What is it?"),
        answer("A cat."),
        id="line-1",
    )
    yield refuse("ms-swift, reward's solution", {**swift, "solution": "4"}, "solution")
    yield refuse("ms-swift, channel", {**swift, "channel": "chat"}, "channel")
    yield refuse(
        "ms-swift, agents",
        {
            "tools": "[]",
            "messages": [
                message("user", "hi"),
                message("tool_call", "{}"),
                message("tool_response", "1"),
                message("assistant", "ok"),
            ],
        },
        "tool_call",
    )

    # LLaMA-Factory.
    yield read(
        "LLaMA-Factory, mllm_demo",
        {
            "messages": [
                message("user", "<image>Who are they?"),
                message("assistant", "Kane."),
                message("user", "What are they doing?<image>"),
                message("assistant", "Playing."),
            ],
            "images": ["a.png", "b.png"],
        },
        user(A, "Who are they?"),
        answer("Kane."),
        user("What are they doing?", B),
        answer("Playing."),
        id="line-1",
    )
    yield read(
        "LLaMA-Factory, alpaca",
        {"instruction": "hi", "input": "", "output": "ok", "history": []},
        user("hi"),
        answer("ok"),
        id="line-1",
    )
    yield read(
        "LLaMA-Factory, alpaca with an image",
        {"instruction": "<image>What?", "input": "In one word.", "output": "A cat.", "images": ["a.png"]},
        user(A, "What?\nIn one word."),
        answer("A cat."),
        id="line-1",
    )
    yield refuse("both forms", {"instruction": "hi", "response": "ok"}, "instruction", "response")
    yield refuse(
        "LLaMA-Factory, preferences",
        {
            "conversations": [{"from": "human", "value": "hi"}],
            "chosen": {"from": "gpt", "value": "a"},
            "rejected": {"from": "gpt", "value": "b"},
        },
        "chosen",
        "rejected",
    )
    yield refuse("LLaMA-Factory, kto", {**asked("hi"), "label": False}, "label")

    # UI-TARS: loss_mask, one image a turn, answers with points.
    act = "Thought: I click.\nAction: click(point='<point>20 30</point>')"
    yield read(
        "UI-TARS",
        {
            "messages": [
                message("user", "Open it.", loss_mask=0),
                message("user", "<image>", loss_mask=0),
                message("assistant", act, loss_mask=0),
                message("user", "<image>", loss_mask=0),
                message("assistant", act, loss_mask=1),
            ],
            "images": ["a.png", "b.png"],
        },
        user("Open it."),
        user(A),
        answer(act, loss=False),
        user(B),
        answer(act),
        id="line-1",
    )
    yield refuse(
        "UI-TARS, a mask of a question",
        {"messages": [message("user", "<image>", loss_mask=1), message("assistant", act)], "images": ["a.png"]},
        "loss_mask",
    )
    begin = "click(start_box='<|box_start|>(10,20)<|box_end|>')"
    yield read("UI-TARS 1.0 boxes", {**asked("<image>Go", begin), "images": ["a.png"]}, user(A, "Go"), answer(begin))

    # axolotl.
    yield read(
        "axolotl, multimodal",
        {
            "messages": [
                {"role": "system", "content": [text("You are helpful.")]},
                {"role": "user", "content": [{"type": "image", "url": "a.png"}, text("Describe.")]},
                {"role": "assistant", "content": [text("A cat.")]},
            ]
        },
        system("You are helpful."),
        user(A, "Describe."),
        answer("A cat."),
        id="line-1",
    )
    yield read(
        "axolotl, path and base64 null",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "path": "a.png", "url": None, "base64": None, "text": None},
                        {"type": "text", "text": "Describe.", "path": None},
                    ],
                },
                {"role": "assistant", "content": [text("A cat.")]},
            ]
        },
        user(A, "Describe."),
        answer("A cat."),
        id="line-1",
    )
    yield read(
        "axolotl, train flags",
        {
            "conversations": [
                {"from": "human", "value": "1", "train": False},
                {"from": "gpt", "value": "2", "train": False},
                {"from": "human", "value": "3"},
                {"from": "gpt", "value": "4", "train": True},
            ]
        },
        user("1"),
        answer("2", loss=False),
        user("3"),
        answer("4"),
        id="line-1",
    )
    yield refuse(
        "axolotl, train_detail",
        {
            "conversations": [
                {"from": "human", "value": "1"},
                {"from": "gpt", "value": "2", "train_detail": [{"begin_offset": 0, "end_offset": 1, "train": False}]},
            ]
        },
        "train_detail",
    )
    yield refuse(
        "axolotl, weights of half",
        {"conversations": [{"from": "human", "value": "1"}, {"from": "gpt", "value": "2", "weight": 0.3}]},
        "weight",
    )

    # TRL and Qwen's own.
    yield read(
        "TRL, images beside parts",
        {
            "images": ["a.png"],
            "messages": [
                {"role": "user", "content": [{"type": "image"}, text("What?")]},
                {"role": "assistant", "content": [text("A cat.")]},
            ],
        },
        user(A, "What?"),
        answer("A cat."),
        id="line-1",
    )
    yield read(
        "TRL, null in every part",
        {
            "images": ["a.png"],
            "messages": [
                {"role": "user", "content": [{"type": "image", "text": None}, {"type": "text", "text": "What?"}]},
                {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]},
            ],
        },
        user(A, "What?"),
        answer("A cat."),
        id="line-1",
    )
    yield refuse(
        "TRL, prompt and completion",
        {"prompt": [message("user", "hi")], "completion": [message("assistant", "ok")]},
        "prompt",
        "messages",
    )
    yield refuse(
        "TRL, chosen and rejected", {"prompt": "hi", "chosen": "a", "rejected": "b"}, "chosen", "prompt", "messages"
    )
    yield read(
        "Qwen-VL-finetune",
        {
            "image": "a.png",
            "conversations": [
                {"from": "human", "value": "<image>\nLocate the cat."},
                {"from": "gpt", "value": '{"bbox_2d": [10, 20, 30, 40], "label": "cat"}'},
            ],
        },
        user(A, "\nLocate the cat."),
        answer('{"bbox_2d": [10, 20, 30, 40], "label": "cat"}'),
        id="line-1",
    )
    yield read(
        "Qwen's README",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "image": "a.png", "resized_height": 280, "resized_width": 420},
                        text("Describe."),
                    ],
                },
                message("assistant", "A cat."),
            ]
        },
        user(Picture("a.png", sides=(280, 420)), "Describe."),
        answer("A cat."),
        id="line-1",
    )
    yield refuse(
        "Qwen, video frames",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "video", "video": ["a.png", "b.png"], "fps": 1.0}, text("Describe.")],
                },
                message("assistant", "A cat."),
            ]
        },
        "video",
    )
    yield refuse(
        "datasets, image bytes",
        {
            "images": [{"bytes": "iVBORw0K", "path": None}],
            "messages": [message("user", "<image>hi"), message("assistant", "ok")],
        },
        "bytes",
        "address",
    )
    yield refuse(
        "verl",
        {"data_source": "gsm8k", "prompt": [message("user", "hi")], "reward_model": {"ground_truth": "1"}},
        "prompt",
        "reward_model",
        "data_source",
        "messages",
    )
    yield refuse("a manifest line", {"image": "a.png", "text": "A cat."}, "messages", "text")
    yield refuse(
        "a question and an answer", {"question": "hi", "answer": "ok", "image": "a.png"}, "question", "messages"
    )
