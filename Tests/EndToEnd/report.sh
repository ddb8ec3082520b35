# The page about runs: complete in a browser, nothing asked for from elsewhere, and what is no run refused.
source "$top/Tests/EndToEnd/refusals.sh"

# Examples that ask for places: a box in each image, and the answer from it.
python3 - data/rows.jsonl data/places.jsonl <<'PYTHON'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
with open(sys.argv[2], "w") as file:
    for index, row in enumerate(row for row in rows if len(row["images"]) == 1):
        row["messages"][-1]["content"] = "<bbox>" if index % 2 else "<point>"
        row["objects"] = {"bbox": [[10, 12, 34, 30]]}
        file.write(json.dumps(row) + "\n")
PYTHON
short=(--set training.steps=6 --set training.validation_every_steps=2 --set checkpoint.every_steps=3)
rm -rf report && mkdir report
for seed in 0 1; do
  check "a short run of seed $seed" train 0 "${short[@]}" --set checkpoint.directory="report/seed-$seed" \
    --set data.validation=data/places.jsonl --set training.seed="$seed" --set logging.tensorboard=true
  check "its answers" ranks 0 "$IMAGELORA" evaluate "report/seed-$seed/run.yaml" --base --max-new-tokens 4 \
    --checkpoint "report/seed-$seed/best.h5" --output "report/seed-$seed/predictions.jsonl"
done
check "a run of rank 2" train 0 "${short[@]}" --set checkpoint.directory="report/other" --set adapter.rank=2
check "its start is noted" python3 -c '
import json
(start,) = map(json.loads, open("report/other/sessions.jsonl"))
assert (start["after_step"], start["precision"], start["world_size"]) == (0, "fp32", 1), start'
# This model names no places: two answers and their groups are written by hand.
python3 - report/seed-0/predictions.jsonl answers.jsonl <<'PYTHON'
import json, sys
with open(sys.argv[2], "w") as file:
    for index, line in enumerate(map(json.loads, open(sys.argv[1]))):
        if line["model"] == "adapted":
            line["group"] = {"side": "<left>" if index % 3 else "right & wrong"}
            right = index % 4 == 1
            line["prediction"] = line["reference"] if right else "(50, 50)"
            line["point_in_box"] = right
            if "iou" in line:
                line["iou"] = float(right)
        file.write(json.dumps(line) + "\n")
PYTHON

page() { # NAME ARGUMENT...: a page and its words
  local name=$1
  shift
  ranks 0 "$IMAGELORA" report "$@" --output "$name.html" >out 2>err
}
whole_page() { python3 "$top/Tests/EndToEnd/check_page.py" "$@"; }

check "a page about one run" page one report/seed-0 --predictions answers.jsonl --title '<script>alert(1)</script> & "one"'
check "it is whole in a browser" whole_page one.html --count .charts=1 --count .heat=1 --count .example=12 \
  --count .example\ image=12 --count .example\ .truth=12 --count 'script=0' --count '.tiles li=6'
for chart in Loss "Learning rate" "Gradient norm" "Tokens a second"; do
  check "a chart: $chart" grep -q "class=\"chart\".*<h3>$chart</h3>" one.html
done
check "places are drawn" grep -q 'class="found s0"' one.html
check "groups are escaped" grep -q '&lt;left&gt;' one.html
check "the same files give the same bytes" sh -c "cp one.html first.html && '$IMAGELORA' report report/seed-0 --predictions \
  answers.jsonl --title '<script>alert(1)</script> & \"one\"' --output one.html && cmp first.html one.html"
check "a page about three runs, two of one configuration" page three report/seed-0 report/seed-1 report/other
check "it says what it leaves out" grep -q '^left out .*other: answers' out
check "it is whole too" whole_page three.html --count .heat=3 --count '#comparison tbody b=0' --count '#comparison tbody tr=2'
check "a difference is named" grep -q 'adapter.rank 2' three.html
check "other validation examples have no best" grep -q 'Nothing is bold: the runs were validated on different examples' three.html
check "a heat map of its own" ranks 0 "$IMAGELORA" probe run.yaml --output report/scores.h5
check "is drawn" ranks 0 "$IMAGELORA" scores show report/scores.h5 --num-heads 5 --svg report/heat.svg
check "as SVG, with five heads and a key in its legend" python3 -c '
import xml.etree.ElementTree as tree
marks = tree.parse("report/heat.svg").findall(".//{*}rect[@class=\"chosen\"]")
assert len(marks) == 6, marks'
found=0
ranks 0 "$IMAGELORA" scores show report/scores.h5 --png report/heat.png >out 2>err || found=$?
check "a PNG is refused with the new name" sh -c "test $found = 64 && grep -q 'give --svg' err"

# The check itself sees what it should.
sed 's/<meta http-equiv[^>]*>//; s/<main>/<main><img src="http:\/\/127.0.0.1:9\/x.png">/' one.html >spoiled.html
check "a page with a request is not whole" sh -c "! python3 '$top/Tests/EndToEnd/check_page.py' spoiled.html >out && grep -q 'a request' out"
sed 's/<main>/<main><svg width="9" height="9"><\/svg>/' one.html >spoiled.html
check "a page with an empty figure is not whole" sh -c "! python3 '$top/Tests/EndToEnd/check_page.py' spoiled.html >out && grep -q 'empty' out"
sed 's/<main>/<main><script>1<\/script>/' one.html >spoiled.html
check "a page's policy lets no script run" sh -c "! python3 '$top/Tests/EndToEnd/check_page.py' spoiled.html >out && grep -qi 'logged.*script' out"

# What is left of a run whose parts are damaged or gone.
cp -r report/other report/bare
rm report/bare/*.h5 report/bare/sessions.jsonl
printf '{"step":7,"loss":NaN}\n{"step":8,"lo' >>report/bare/metrics.jsonl
check "a run without checkpoints" page bare report/bare
check "says so" grep -q '^left out .*bare: adapter and heads: .*no valid checkpoint' out
check "and what of metrics.jsonl it left out" grep -q '^left out .*bare: .*metrics.jsonl: line .*JSON' out
check "its page is whole" whole_page bare.html --count .charts=1 --count .heat=0
cp -r report/bare report/extreme
printf '{"step":1,"loss":5e-324}\n{"step":2,"loss":1e-323}\n' >report/extreme/metrics.jsonl
limit=10 check "a page of denormal losses" page extreme report/extreme
mkdir report/none
refused 65 "a folder that is no run" 'report/none' 'no run.yaml' report report/seed-0 report/none
refused 65 "a folder that is not there" 'report/gone' 'no such folder' report report/gone
refused 65 "a file" 'run.yaml' 'folder' report report/seed-0/run.yaml
echo '{"id": 3}' >broken.jsonl
refused 65 "broken predictions" 'broken.jsonl' 'line 1' report report/seed-0 --predictions broken.jsonl
refused 65 "a page where none can be written" 'nowhere/page.html' 'cannot be written' report report/seed-0 --output nowhere/page.html
found=0
ranks 0 "$IMAGELORA" report report/seed-0 report/seed-1 --predictions answers.jsonl >out 2>err || found=$?
check "one file of predictions for two runs is bad usage" test "$found" = 64
