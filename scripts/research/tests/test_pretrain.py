"""The generators of the base's pages and questions, by the standard library alone."""

import collections
import hashlib
import html.parser
import json
import pathlib
import random
import re
import sys
import unittest

RESEARCH = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(RESEARCH / "pretrain"))
import pages  # noqa: E402
import questions  # noqa: E402
import relations  # noqa: E402
import rendered  # noqa: E402
import words  # noqa: E402


def laid_out(page):
    """A page as the browser describes it, its widgets one below another."""
    widgets = []
    for index, widget in enumerate(page.widgets):
        x, y = 5 + 17 * index % 60, 4 + 12 * index
        widgets.append({**widget, "box": [x, y, x + 60, y + 11], "target": [x, y, x + 50, y + 10]})
    return {"size": [page.width, page.height], "widgets": widgets}


def widget(kind, label, box, **more):
    return {"kind": kind, "label": label, "color": None, "on": None, "box": box, "target": box, **more}


PAGE = {
    "size": [160, 210],
    "widgets": [
        widget("button", "Save", [10, 20, 50, 40], color="red", on=True),
        widget("button", "Open", [10, 120, 50, 140], color="blue", on=False),
        widget("checkbox", "News", [70, 20, 120, 40], on=True),
        widget("shape", None, [70, 120, 90, 140], color="green", shape="circle"),
    ],
}


class Tags(html.parser.HTMLParser):
    """The start tags of a page; fails where one is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.classes = [], collections.Counter()
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.classes.update((dict(attributes).get("class") or "").split())
        if tag != "input":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


class Pages(unittest.TestCase):
    def test_every_widget_is_on_the_page(self):
        for look in ("light", "dusk"):
            for seed in range(200):
                page = pages.sample_page(random.Random(seed), look)
                self.assertEqual(Tags(page.html(0, 0)).classes["w"], len(page.widgets), (look, seed))
                self.assertIn((page.width, page.height), [size[:2] for size in pages.SIZES])
                self.assertLessEqual({w["kind"] for w in page.widgets}, set(words.KINDS))

    def test_labels_do_not_repeat(self):
        for seed in range(200):
            page = pages.sample_page(random.Random(seed), "light", (160, 210))
            labels = [w["label"].lower() for w in page.widgets if w["label"] and w["kind"] != "icon"]
            self.assertEqual(len(labels), len(set(labels)), seed)

    def test_the_same_seeds_give_the_pages_and_questions_that_the_base_was_taught(self):
        digest = hashlib.sha256()
        rng = random.Random(5)
        for _ in range(300):
            page = pages.sample_page(rng, "light")
            digest.update(page.html(1, 2).encode())
            for asked in questions.sample(laid_out(page), rng, 6):
                digest.update(json.dumps(asked).encode())
                digest.update(questions.within_text(rng, asked["question"]).encode())
            digest.update(json.dumps(questions.without_image(rng)).encode())
        self.assertEqual(digest.hexdigest(), "b9f9d8b6fa92cb789df0a979ba99ac39aa30869195982a1214045271545cb76e")

    def test_widgets_that_are_hidden_or_overlap(self):
        page = pages.sample_page(random.Random(0), "light", (160, 210))
        page.widgets = [widget("link", "a", None), widget("link", "b", None)]
        seen = rendered.visible(page, [([2, 3, 40, 20], [2, 3, 30, 20]), ([150, 3, 190, 20], [150, 3, 190, 20])])
        self.assertEqual([(w["label"], w["box"], w["target"]) for w in seen], [("a", [2, 3, 40, 20], [2, 3, 30, 20])])
        self.assertTrue(rendered.overlap([{"box": [0, 0, 20, 20]}, {"box": [10, 10, 30, 30]}]))
        self.assertFalse(rendered.overlap([{"box": [0, 0, 20, 20]}, {"box": [19, 0, 30, 20]}]))


class Questions(unittest.TestCase):
    def ask(self, topic):
        """All questions of a topic about PAGE with their answers."""
        rng, found = random.Random(1), {}
        for _ in range(400):
            asked = questions.ask(PAGE, rng, topic)
            if asked:
                self.assertEqual(found.setdefault(asked["question"], asked)["answer"], asked["answer"])
        self.assertTrue(found, topic)
        return found

    def test_answers(self):
        save, opened, news, circle = (
            questions.written(questions.place(w["box"], PAGE["size"])) for w in PAGE["widgets"]
        )
        self.assertEqual(save, "(203,141)")
        self.assertEqual(self.ask("point")["Click on Save."]["answer"], save)
        self.assertEqual(self.ask("look")["Click the green circle."]["answer"], circle)
        self.assertEqual(self.ask("look")["Click the disabled button."]["answer"], opened)
        self.assertEqual(self.ask("order")["Click the second button."]["answer"], opened)
        self.assertEqual(self.ask("relation")["Click the checkbox right of Save."]["answer"], news)
        self.assertEqual(self.ask("kind")["What kind of widget is News?"]["answer"], "checkbox")
        self.assertEqual(self.ask("color")["What color is the button Open?"]["answer"], "blue")
        self.assertEqual(self.ask("state")["Is the button Open enabled?"]["answer"], "no")
        self.assertEqual(self.ask("count")["How many buttons are there?"]["answer"], "2")
        self.assertEqual(self.ask("count")["How many links are there?"]["answer"], "0")
        self.assertLessEqual({a["answer"] for a in self.ask("read").values()}, {"Save", "Open", "News"})

    def test_places_are_read_where_they_are_asked_for(self):
        for question, asked in self.ask("read").items():
            x, y = (int(v) / 1000 * s for v, s in zip(re.search(r"\((\d+),(\d+)\)", question).groups(), PAGE["size"]))
            box = PAGE["widgets"][asked["widgets"][0]]["box"]
            self.assertTrue(box[0] - 3 <= x <= box[2] + 3 and box[1] - 4 <= y <= box[3] + 4, question)

    def test_sums(self):
        rng, checked = random.Random(2), 0
        for _ in range(500):
            asked = questions.without_image(rng)
            terms = re.fullmatch(r"What is (\d+) ([-+*]) (\d+)\?", asked["question"])
            if terms:
                a, b = int(terms[1]), int(terms[3])
                self.assertEqual(int(asked["answer"]), {"+": a + b, "-": a - b, "*": a * b}[terms[2]])
                checked += 1
        self.assertGreater(checked, 20)

    def test_a_question_in_a_longer_text_follows_one_mark(self):
        for seed in range(200):
            text = questions.within_text(random.Random(seed), "What is at (172,141)?")
            self.assertEqual(sum(text.count(mark + "What is at (172,141)?") for mark in questions.MARKS), 1)

    def test_beside(self):
        elements = [
            {"kind": "a", "box": box} for box in ([0, 0, 10, 10], [20, 0, 30, 10], [0, 20, 10, 30], [60, 0, 70, 10])
        ]
        self.assertEqual(relations.beside(elements, 0, 0, 1), 1)
        self.assertEqual(relations.beside(elements, 0, 1, 1), 2)
        self.assertIsNone(relations.beside(elements, 0, 0, -1))
        self.assertEqual(relations.beside(elements, 1, 0, -1), 0)

    def test_words_that_the_tokenizer_keeps(self):
        texts = set(questions.texts())
        self.assertTrue("Click the radio button named a." in texts and len(texts) > 1000, len(texts))
        self.assertEqual(questions.CENTERS[0], 16)
        self.assertEqual(len(set(questions.BIN_TOKENS)), 64)


class Template(unittest.TestCase):
    def test_new_bases_have_the_template_of_the_one_in_the_repository(self):
        base = RESEARCH.parent / "quickstart/model/chat_template.jinja"
        self.assertEqual((RESEARCH / "pretrain/chat_template.jinja").read_bytes(), base.read_bytes())


if __name__ == "__main__":
    unittest.main()
