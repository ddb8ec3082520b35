"""Model folders: nll_sum of the base model against transformers' from_pretrained of the same folder (fp32), or refused
with a word that must be in the message."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import torch
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen3VLForConditionalGeneration

import model_folders
from oracle import PARITY, Model, Program, Refusal, Turn, ill_formed, opened, write_rows

TOLERANCE = 1e-4  # relative
# Loading a model sets defaults of the whole process: one at a time.
LOADING = threading.Lock()
QUESTION, ANSWER = "Click on the search button.", "It's at (123, 45), 你好."


class Library:
    """transformers."""

    @staticmethod
    def load(folder, dtype):
        qwen3 = (folder / "config.json").read_text(encoding="utf-8").count('"qwen3_vl"') > 0
        kind = Qwen3VLForConditionalGeneration if qwen3 else Qwen2_5_VLForConditionalGeneration
        return kind.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()

    def nll(self, folder, template):
        """nll_sum of both rows."""
        network, model = self.load(folder, torch.float32), Model(folder, template)
        image = opened(PARITY / "a/images/0.png")
        found = {}
        for id, content in (("text", QUESTION), ("image", [image, QUESTION])):
            sample = model.sample([Turn("user", content), Turn("assistant", ANSWER)])
            ids = torch.tensor(sample.input_ids)[None]
            arguments = dict(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
            arguments["mm_token_type_ids"] = (ids == model.image_id).int()
            if sample.pixels is not None:
                arguments["pixel_values"] = torch.tensor(sample.pixels)
                arguments["image_grid_thw"] = torch.tensor(sample.grids)
            with torch.no_grad():
                logits = network(**arguments).logits[0, :-1].double()
            keep = torch.tensor(sample.supervised[1:])
            sample.nll_sum = float(torch.nn.functional.cross_entropy(logits[keep], ids[0, 1:][keep], reduction="sum"))
            found[id] = sample
        return found


def compared(program, library, case, number, folder, rows):
    place = folder / f"{number:03}"
    with LOADING:
        shutil.copytree(PARITY / case.base / "model", place)
        fixture = Model(place).template
        case.change(place, library)
        expected = {} if case.refused else library.nll(place, case.template or fixture)
    adapter = PARITY / case.base / "adapter"
    try:
        got = program.parity(place, rows, adapter, folder / f"{number:03}.h5")
    except Refusal as error:
        message = str(error)
        if not case.refused:
            return f"refused: {message}"
        if ill_formed(message):
            return ill_formed(message)
        if not any(word in message for word in case.refused):
            return f"refused without any of {case.refused}: {message}"
        return None
    if case.refused:
        return f"read, expected a refusal with {case.refused}: nll_sum {got['text'].nll_sum:.6f}"
    for id, sample in expected.items():
        difference = got[id].difference(sample)
        if difference:
            return f"{id}: {difference}"
        if not abs(got[id].nll_sum - sample.nll_sum) <= TOLERANCE * abs(sample.nll_sum):
            return f"{id}: nll_sum {got[id].nll_sum:.6f}, expected {sample.nll_sum:.6f}"
    return None


def compare(options, folder):
    torch.set_num_threads(1)
    program, library = Program(options.program), Library()
    shutil.copy(PARITY / "a/images/0.png", folder)
    rows = folder / "rows.jsonl"
    answer = {"role": "assistant", "content": ANSWER}
    write_rows(
        rows,
        [
            {"id": "text", "messages": [{"role": "user", "content": QUESTION}, answer]},
            {
                "id": "image",
                "images": ["0.png"],
                "messages": [{"role": "user", "content": "<image>" + QUESTION}, answer],
            },
        ],
    )
    cases = list(enumerate(model_folders.cases()))[: options.count]
    with ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda entry: guarded(program, library, entry[1], entry[0], folder, rows), cases)
        for (number, case), difference in zip(cases, results):
            yield f"{number:03} {case.base}: {case.name}", difference
            if not difference:
                for place in folder.glob(f"{number:03}*"):
                    shutil.rmtree(place)


def guarded(program, library, case, number, folder, rows):
    """A case that the reference itself cannot read is a difference too, not the sweep's end."""
    try:
        return compared(program, library, case, number, folder, rows)
    except Exception as error:
        return f"the reference fails: {type(error).__name__}: {error}"
