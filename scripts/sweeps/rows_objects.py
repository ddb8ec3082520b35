"""Rows: boxes, points and names of `objects` in texts."""

from row_shapes import Box, Picture, answer, asked, message, read, refuse, user

A, B = Picture("a.png"), Picture("b.png")  # 100 x 80, 60 x 60
FIRST, SECOND = (10, 15, 50, 45), (20, 30, 99, 79)


def shapes():
    def row(content, reply, objects, images=("a.png",), **keys):
        return asked(content, reply, objects=objects, images=list(images), **keys)

    def boxed(name, objects, *parts, reply="<bbox>", question="<image>Where?", **keys):
        return read(name, row(question, reply, objects), user(A, "Where?"), answer(*parts), **keys)

    def bad(name, objects, *words, reply="<bbox>", **keys):
        return refuse(name, row("<image>Where?", reply, objects), *words, **keys)

    yield boxed("a box", {"bbox": [FIRST]}, Box(FIRST))
    yield boxed("a box, key boxes", {"boxes": [FIRST]}, Box(FIRST))
    yield boxed("a box of fractions", {"bbox": [[10.5, 15.25, 50.75, 45.125]]}, Box((10.5, 15.25, 50.75, 45.125)))
    yield boxed("real, named", {"bbox": [FIRST], "bbox_type": "real"}, Box(FIRST))
    yield boxed("two boxes", {"bbox": [FIRST, SECOND]}, Box(FIRST), " and ", Box(SECOND), reply="<bbox> and <bbox>")
    yield boxed("the whole image", {"bbox": [[0, 0, 100, 80]]}, Box((0, 0, 100, 80)))
    yield boxed("a pixel outside", {"bbox": [[0, 0, 101, 80]]}, Box((0, 0, 101, 80)))
    yield boxed("a box on its centre", {"bbox": [FIRST]}, Box(FIRST, centre=True), reply="<point>")
    yield boxed("a point of two numbers", {"bbox": [[20, 30]]}, Box((20, 30)), reply="<point>")
    yield boxed("a point in <bbox>", {"bbox": [[20, 30]]}, Box((20, 30)))
    yield boxed("point and box", {"bbox": [FIRST, [20, 30]]}, Box(FIRST), Box((20, 30)), reply="<bbox><point>")
    yield boxed(
        "norm1", {"bbox": [[0.1, 0.25, 0.5, 0.75]], "bbox_type": "norm1"}, Box((0.1, 0.25, 0.5, 0.75), form="norm1")
    )
    yield boxed(
        "norm1 of the whole image", {"bbox": [[0, 0, 1, 1]], "bbox_type": "norm1"}, Box((0, 0, 1, 1), form="norm1")
    )
    yield boxed(
        "norm1 point", {"bbox": [[0.5, 0.5]], "bbox_type": "norm1"}, Box((0.5, 0.5), form="norm1"), reply="<point>"
    )
    yield boxed(
        "norm1000",
        {"bbox": [[100, 250, 500, 999]], "bbox_type": "norm1000"},
        Box((100, 250, 500, 999), form="norm1000"),
    )
    yield boxed(
        "norm1000 of fractions",
        {"bbox": [[100.5, 250.5, 500.5, 999.5]], "bbox_type": "norm1000"},
        Box((100.5, 250.5, 500.5, 999.5), form="norm1000"),
    )
    yield boxed(
        "width and height",
        {"bbox": [[20, 30, 100, 90]], "width": 200, "height": 160},
        Box((20, 30, 100, 90), size=(200, 160)),
    )
    yield boxed(
        "width and height, lists",
        {"bbox": [[20, 30, 100, 90]], "width": [200], "height": [160]},
        Box((20, 30, 100, 90), size=(200, 160)),
    )
    yield bad("unknown bbox_type", {"bbox": [FIRST], "bbox_type": "norm100"}, "bbox_type", "norm100")
    yield bad("width without height", {"bbox": [FIRST], "width": 200}, "height")
    yield bad("a box outside", {"bbox": [[10, 15, 50, 95]]}, "outside", "beyond", "image")
    yield bad("a box left of the image", {"bbox": [[-10, 15, 50, 45]]}, "outside", "image", "-10")
    yield bad("a box of [x, y, width, height]", {"bbox": [[60, 50, 30, 20]]}, "width, height")
    yield bad("a box of [y1, x1, y2, x2]", {"bbox": [[10, 60, 70, 95]]}, "y1")
    yield bad("real box of thousandths", {"bbox": [[100, 250, 500, 999]]}, "norm1000")
    yield bad("real box of shares", {"bbox": [[0.1, 0.25, 0.5, 0.75]]}, "norm1")
    yield bad("norm1 over 1", {"bbox": [[0.1, 0.2, 0.5, 7]], "bbox_type": "norm1"}, "norm1", "outside")
    yield bad("norm1000 over 1000", {"bbox": [[0, 0, 500, 1200]], "bbox_type": "norm1000"}, "norm1000", "outside")
    yield bad("inverted", {"bbox": [[50, 45, 10, 15]]}, "x1", "inverted", "width, height")
    yield bad("without area", {"bbox": [[10, 15, 10, 45]]}, "x1", "area")
    yield bad("three numbers", {"bbox": [[10, 15, 50]]}, "numbers")
    yield bad("eight numbers", {"bbox": [[1, 1, 9, 1, 9, 9, 1, 9]]}, "numbers")
    yield bad("numbers that are texts", {"bbox": [["10", "15", "50", "45"]]}, "bbox")
    yield bad("a flat list", {"bbox": [10, 15, 50, 45]}, "bbox")
    yield bad("null in a box", {"bbox": [[10, None, 50, 45]]}, "bbox")
    yield bad("bbox and boxes", {"bbox": [FIRST], "boxes": [FIRST]}, "both")
    yield bad("unknown key", {"bbox": [FIRST], "bbox_typ": "norm1"}, "bbox_type")
    yield bad("a point outside", {"bbox": [[20, 300]]}, "outside", "image", reply="<point>")
    yield bad("a box too few", {"bbox": [FIRST]}, "<bbox>", "bbox", reply="<bbox> <bbox>")
    yield bad("a box too many", {"bbox": [FIRST, SECOND]}, "<bbox>", "bbox")
    yield bad("objects that are a list", [FIRST], "objects")
    yield boxed("objects without a tag", {"bbox": [FIRST], "ref": ["cat"]}, "there", reply="there")
    yield boxed("objects of null", {"bbox": [FIRST], "ref": None, "image_id": None, "bbox_type": None}, Box(FIRST))
    yield boxed("objects empty", {}, "there", reply="there")
    yield boxed("no boxes", {"bbox": [], "ref": []}, "there", reply="there")

    yield read(
        "ref",
        row("<image>Find <ref>.", "<bbox>", {"bbox": [FIRST], "ref": ["cat"]}),
        user(A, "Find cat."),
        answer(Box(FIRST)),
    )
    yield read(
        "ref-object",
        row("<image>Find <ref-object>.", "<bbox>", {"bbox": [FIRST], "ref": ["cat"]}),
        user(A, "Find cat."),
        answer(Box(FIRST)),
    )
    yield read(
        "refs in order",
        row("<image><ref-object>?", "<ref-object><bbox>", {"bbox": [FIRST], "ref": ["cat", "dog"]}),
        user(A, "cat?"),
        answer("dog", Box(FIRST)),
    )
    yield refuse("ref without a name", row("<image>Find <ref-object>.", "<bbox>", {"bbox": [FIRST]}), "ref")
    yield refuse(
        "a name too many", row("<image>Find <ref>.", "<bbox>", {"bbox": [FIRST], "ref": ["cat", "dog"]}), "ref"
    )
    yield read(
        "a name with a tag in it",
        row("<image>Find <ref>.", "<bbox>", {"bbox": [FIRST], "ref": ["<b>cat</b>"]}),
        user(A, "Find <b>cat</b>."),
        answer(Box(FIRST)),
    )
    yield refuse("a name that is a number", row("<image>Find <ref>.", "<bbox>", {"bbox": [FIRST], "ref": [3]}), "ref")

    closed = "click(point='<point>20 30</point>')"
    yield read("closed point without objects", row("<image>Where?", closed, None), user(A, "Where?"), answer(closed))
    yield boxed("closed point with objects", {"bbox": [FIRST]}, closed, reply=closed)
    yield boxed(
        "closed point and a tag",
        {"bbox": [FIRST]},
        "<point>20 30</point> ",
        Box(FIRST),
        reply="<point>20 30</point> <bbox>",
    )
    yield boxed("closed box", {"bbox": [FIRST]}, "<bbox>1 2 3 4</bbox>", reply="<bbox>1 2 3 4</bbox>")
    yield read(
        "closed ref",
        row("<image>Find <ref>it</ref>", "ok", {"bbox": [FIRST]}),
        user(A, "Find <ref>it</ref>"),
        answer("ok"),
    )
    yield boxed("escaped box", {"bbox": [FIRST]}, "<bbox> ", Box(FIRST), reply="\\<bbox> <bbox>")
    yield boxed("escaped point", {"bbox": [FIRST]}, "<point> ", Box(FIRST), reply="\\<point> <bbox>")
    yield boxed(
        "escaped ref",
        {"bbox": [FIRST], "ref": ["x"]},
        "<ref-object> <ref> x",
        Box(FIRST),
        reply="\\<ref-object> \\<ref> <ref><bbox>",
    )
    yield boxed(
        "box marks around",
        {"bbox": [FIRST]},
        "<|box_start|>",
        Box(FIRST),
        "<|box_end|>",
        reply="<|box_start|><bbox><|box_end|>",
    )
    yield read("point tag without objects", row("<image>Where?", "<point>", None), user(A, "Where?"), answer("<point>"))

    pair = ("a.png", "b.png")
    yield read(
        "boxes of two images",
        row("<image><image>Where?", "<bbox><bbox>", {"bbox": [FIRST, FIRST], "image_id": [0, 1]}, pair),
        user(A, B, "Where?"),
        answer(Box(FIRST), Box(FIRST, image=1)),
    )
    yield read(
        "width and height of two images",
        row(
            "<image><image>Where?",
            "<bbox>",
            {"bbox": [FIRST], "image_id": [1], "width": [100, 120], "height": [80, 120]},
            pair,
        ),
        user(A, B, "Where?"),
        answer(Box(FIRST, image=1, size=(120, 120))),
    )
    yield refuse("image_id beyond", row("<image>Where?", "<bbox>", {"bbox": [FIRST], "image_id": [1]}), "image_id")
    yield refuse("image_id negative", row("<image>Where?", "<bbox>", {"bbox": [FIRST], "image_id": [-1]}), "image_id")
    yield refuse(
        "image_id too few", row("<image>Where?", "<bbox><bbox>", {"bbox": [FIRST, SECOND], "image_id": [0]}), "image_id"
    )
    yield refuse(
        "box without an image",
        {
            "id": "x",
            "messages": [message("user", "Where?"), message("assistant", "<bbox>")],
            "objects": {"bbox": [FIRST]},
        },
        "image",
    )
    sized = Picture("a.png", sides=(280, 420))
    yield read(
        "a box in an image of its own size",
        {
            "id": "x",
            "messages": [
                message(
                    "user",
                    [
                        {"type": "image", "image": "a.png", "resized_height": 280, "resized_width": 420},
                        {"type": "text", "text": "Where?"},
                    ],
                ),
                message("assistant", "<bbox>"),
            ],
            "objects": {"bbox": [FIRST]},
        },
        user(sized, "Where?"),
        answer(Box(FIRST)),
    )
    yield read(
        "a box in a shrunk image",
        row("<image>Where?", "<bbox>", {"bbox": [[100, 50, 650, 480]]}, ("w.png",)),
        user(Picture("w.png"), "Where?"),
        answer(Box((100, 50, 650, 480))),
    )
    yield read(
        "a box in the question",
        row("<image>What is in <bbox>?", "a cat", {"bbox": [FIRST]}),
        user(A, "What is in ", Box(FIRST), "?"),
        answer("a cat"),
    )
    halves = (0.0625, 0.0625, 0.1875, 0.5)
    yield boxed("halves", {"bbox": [halves], "bbox_type": "norm1"}, Box(halves, form="norm1"))
    # x / size * written size and x * written size / size round to different numbers here.
    order, image = (14.5, 25.5, 40, 61.5), Picture("i.png")
    yield read(
        "halves in an image that keeps its size",
        row("<image>Where?", "<bbox>", {"bbox": [order]}, ("i.png",)),
        user(image, "Where?"),
        answer(Box(order)),
    )
    yield boxed("halves of a point", {"bbox": [FIRST]}, Box(FIRST, centre=True), reply="<point>")
