# Rows and images as data sets have them.
short=(--set training.steps=2 --set checkpoint.every_steps=2 --set data.validation=null --set adapter.heads.select=all)

# annotated FILE: the rows with keys that only annotate.
sed 's/^{/{"source": "web", "_page": 7, /' data/rows.jsonl >data/annotated.jsonl
# Every second row under the id of the one before it, with a slash.
awk 'NR % 2 { id = $0; sub(/^{"id": "/, "", id); sub(/".*/, "", id) } { sub(/^{"id": "[^"]*"/, "{\"id\": \"a/" id "\""); print }' \
  data/rows.jsonl >data/repeated.jsonl
{ echo '['; sed '$!s/$/,/' data/rows.jsonl; echo ']'; } >data/array.json

rm -rf rows-plain
check "the run on its rows" train 0 "${short[@]}" --set checkpoint.directory=rows-plain
status=0
train 0 "${short[@]}" --set checkpoint.directory=other --set data.train=data/annotated.jsonl || status=$?
check "keys that only annotate are refused by name" test "$status" = 65
check "and the message says how they are left out" grep -q 'source.*data.ignore_keys' err
check "an ignored key trains" train 2 "${short[@]}" --set checkpoint.directory=rows-annotated \
  --set data.train=data/annotated.jsonl --set 'data.ignore_keys=[source]'
check "and is in the summary" grep -q '^ignored .*"_page" (40), "source" (40)' out
check "and counted in summary.json" test "$(field rows-annotated/summary.json ignored_keys.source)" = 40
status=0
train 0 "${short[@]}" --set 'data.ignore_keys=[objects]' || status=$?
check "a key that the reader reads cannot be ignored" test "$status" = 65

check "an array trains" train 2 "${short[@]}" --set checkpoint.directory=rows-array --set data.train=data/array.json
check "and gives the bytes of its lines" same_state rows-plain/step-00000002.h5 rows-array/step-00000002.h5
status=0
train 0 "${short[@]}" --set checkpoint.directory=other --set data.train=data/repeated.jsonl || status=$?
check "ids that repeat are refused" test "$status" = 65
check "and the message names data.ids" grep -q 'data.ids: line' err
check "ids of lines train" train 0 "${short[@]}" --set checkpoint.directory=rows-lines \
  --set data.train=data/repeated.jsonl --set data.ids=line

cp data/images/0.png data/images/whole.png
python3 "$top/Tests/EndToEnd/spoil.py" png-no-end data/images/whole.png
cp data/images/1.png data/images/turned.png
python3 "$top/Tests/EndToEnd/spoil.py" png-turned data/images/turned.png
row='{"id": "%s", "images": ["images/%s.png"], "messages": [{"role": "user", "content": "<image>Where?"}, '
row+='{"role": "assistant", "content": "<point>"}], "objects": {"bbox": [[2, 2, 9, 9]]}}\n'
# shellcheck disable=SC2059 # it is the format
{ cat data/rows.jsonl; printf "$row" whole whole; printf "$row" turned turned; } >data/rows-odd.jsonl
for count in 0 2; do
  rm -rf rows-odd
  check "damaged and turned images train ($count ranks)" train "$count" "${short[@]}" --set checkpoint.directory=rows-odd \
    --set data.train=data/rows-odd.jsonl
  check "a damaged image is noted once" test "$(grep -c '^note .*whole.png (PNG: ' out)" = 1
  check "and so is a turned one with boxes" test "$(grep -c '^note .*turned.png; data.exif_orientation' out)" = 1
done
status=0
train 0 "${short[@]}" --set data.train=data/rows-odd.jsonl --set data.damaged_images=refuse || status=$?
check "damaged images can be refused" test "$status" = 65
check "and the message names the image" grep -q 'whole.png: damaged PNG' err
ranks 0 "$IMAGELORA" inspect run.yaml --row turned --json --set data.train=data/rows-odd.jsonl >stored.json 2>err
ranks 0 "$IMAGELORA" inspect run.yaml --row turned --json --set data.train=data/rows-odd.jsonl \
  --set data.exif_orientation=apply >upright.json 2>err
check "an orientation that is applied turns the image" python3 -c '
import json
stored, upright = (json.load(open(name))["images"][0]["original"] for name in ("stored.json", "upright.json"))
assert stored == upright[::-1] and stored != upright, (stored, upright)'
status=0
ranks 0 "$IMAGELORA" evaluate run.yaml --checkpoint rows-plain/step-00000002.h5 --no-generate --limit 1 \
  --set data.transparency=drop >out 2>err || status=$?
check "an adapter is not evaluated on images that are decoded otherwise" test "$status" = 65
check "and the message names the key" grep -q 'transparency (white, here drop): set data.transparency: white' err

# A template that leaves out the thoughts of earlier answers and lets a run choose whether the model thinks.
cp -r model model-thinks
rm model-thinks/chat_template.json
cat >model-thinks/chat_template.jinja <<'JINJA'
{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}
{% for m in messages %}
{{- '<|im_start|>' + m.role + '\n' }}
{%- if m.role == 'assistant' and loop.index0 > ns.last %}{{ '<think>\n' + m.reasoning_content|default('') + '\n</think>\n\n' }}{% endif %}
{%- if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}
{{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\n<think>\n' }}{% if enable_thinking is false %}{{ '\n</think>\n\n' }}{% endif %}
{%- endif %}
JINJA
row='{"id": "%s", "images": ["images/%s.png"], "messages": [{"role": "user", "content": "<image>Where?"}, '
row+='{"role": "assistant", "content": "There.", "reasoning_content": "%s"}, {"role": "user", "content": "And?"}, '
row+='{"role": "assistant", "content": "Here."}]}\n'
# shellcheck disable=SC2059 # it is the format
for index in 0 1 2 3; do printf "$row" "t$index" "$index" "Left or right?"; done >data/thoughts.jsonl
# shellcheck disable=SC2059
for index in 0 1 2 3; do printf "$row" "t$index" "$index" ""; done >data/no-thoughts.jsonl
thinks=(--set model.path=model-thinks --set data.train=data/thoughts.jsonl)
never=(--set model.path=model-thinks --set data.train=data/no-thoughts.jsonl --set model.template.enable_thinking=false)
ranks 0 "$IMAGELORA" inspect run.yaml --row t1 "${thinks[@]}" >out 2>err
check "an answer whose thoughts are left out later is an example of its own" \
  test "$(grep -oE '^example [^ ]*' out | tr '\n' ' ')" = "example t1 example t1@1 "
ranks 0 "$IMAGELORA" inspect run.yaml --row t1@1 --json "${thinks[@]}" >branch.json 2>err
ranks 0 "$IMAGELORA" inspect run.yaml --row t1 --json "${thinks[@]}" >whole.json 2>err
check "learned are thoughts where the row has them, and nothing of them where it has not" python3 -c '
import json
learned = {}
for name in ("branch", "whole"):
    example = json.load(open(f"{name}.json"))
    text = "".join(t["text"] for t in example["tokens"] if t["is_supervised"])
    learned[example["id"]] = text.replace("\\n", "\n")
    assert example["examples_of_row"] == ["t1", "t1@1"], example["examples_of_row"]
assert learned == {
    "t1@1": "Left or right?\n</think>\n\nThere.<|im_end|>\n", "t1": "Here.<|im_end|>\n"}, learned'
for count in 0 2; do
  rm -rf "thinks-$count"
  check "such rows train ($count ranks)" train "$count" "${short[@]}" "${thinks[@]}" --set "checkpoint.directory=thinks-$count"
done
check "and count an example an answer" grep -q '^data  *8 examples' out
check "and give the same bytes on 2 ranks" same_state thinks-0/step-00000002.h5 thinks-2/step-00000002.h5
check "a variable of the template trains" train 0 "${short[@]}" "${never[@]}" --set checkpoint.directory=never
ranks 0 "$IMAGELORA" export never/step-00000002.h5 --output never-adapter >out
check "and is part of the adapter" python3 -c '
import json
assert json.load(open("never-adapter/adapter_config.json"))["chat_template_variables"] == {"enable_thinking": False}'
for run in never thinks-0; do ranks 0 "$IMAGELORA" inspect "$run/step-00000002.h5" --json >"$run.json"; done
check "and of the checkpoint, where there is one" python3 -c '
import json
never, thinks = (json.load(open(f"{name}.json"))["provenance"] for name in ("never", "thinks-0"))
assert never["chat_template_variables"] == {"enable_thinking": False} and "chat_template_variables" not in thinks'
status=0
ranks 0 "$IMAGELORA" evaluate run.yaml "${never[@]}" --set model.template=null --adapter never-adapter --no-generate \
  >out 2>err || status=$?
check "an adapter is not evaluated under other variables" test "$status" = 65
check "and the message says which" \
  grep -qF 'variables of the chat template ({"enable_thinking":false}, here none): set model.template: {"enable_thinking":false}' err
check "it is under its own" ranks 0 "$IMAGELORA" evaluate run.yaml "${never[@]}" --adapter never-adapter --limit 1
check "generate takes the adapter's" ranks 0 "$IMAGELORA" generate --model model-thinks --adapter never-adapter \
  --prompt 'Where?' --max-new-tokens 1
status=0
ranks 0 "$IMAGELORA" generate --model model-thinks --adapter never-adapter --template enable_thinking=true --prompt 'Where?' \
  >out 2>err || status=$?
check "and refuses others" test "$status" = 65
status=0
train 0 "${short[@]}" "${thinks[@]}" --set model.template.enable_thinkin=false || status=$?
check "a variable that the template never reads is refused" test "$status" = 65
check "and named" grep -q 'the variable enable_thinkin is never read' err
status=0
train 0 "${short[@]}" "${thinks[@]}" --set model.template.enable_thinking=false || status=$?
check "thoughts under enable_thinking: false are refused" test "$status" = 65
check "and the message names the answer" grep -q 'the answer in message 2 has thoughts' err
