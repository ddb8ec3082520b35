"""The same questions inside a long text: the rules of the page and what was done before, about four text tokens a
visual one.
"""

import copy
import random

LENGTH = 190  # letters of the rules and tasks around a question
RULES = [
    "Every page has one task.",
    "A page takes one click and no more.",
    "The task at hand stands behind the word Now.",
    "Tasks that are done need no click.",
    "A click beside the right place ends the page.",
    "Texts on the page are only there to read.",
    "Pages differ in size and order.",
    "Say where to click as a place on the page.",
    "The page on the picture is the last one.",
    "There is no time limit.",
    "Where two places are right, take the upper one.",
    "The yellow line repeats the task.",
]


def with_context(examples):
    """Copies of examples about clicks whose questions stand in a text of rules and of other examples' questions."""
    questions = [example["messages"][0]["content"].removeprefix("<image>") for example in examples]
    return [around(example, question, questions) for example, question in zip(examples, questions)]


def around(example, question, others):
    rng = random.Random(example["id"])
    rules = rng.sample(RULES, 3)
    done = []
    while sum(map(len, rules + done)) < LENGTH:
        other = rng.choice(others)
        if other != question and other not in done:
            done.append(other)
    steps = "\n".join(f"{number}. {text} Done." for number, text in enumerate(done, 1))
    example = copy.deepcopy(example)
    example["messages"][0]["content"] = f"<image>{' '.join(rules[:2])}\nBefore:\n{steps}\nNow: {question}\n{rules[2]}"
    return example
