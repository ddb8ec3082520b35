# Evaluation of examples that share images, have two, or none: the same bytes on 1, 2 and 3 ranks.
source "$top/Tests/EndToEnd/refusals.sh"
declare -F whole >/dev/null || source "$top/Tests/EndToEnd/ranks.sh"

# evaluate N NAME [ARGUMENT...]: base and adapted side by side on N ranks; the metrics in NAME.json, the answers in
# NAME.jsonl.
evaluate() {
  local count=$1 name=$2
  shift 2
  rm -f answers.jsonl
  ranks "$count" "$IMAGELORA" evaluate run.yaml --set data.validation=data/rows.jsonl --base \
    --checkpoint "whole-1/$last" --output answers.jsonl --json "$@" >"$name.json" && mv answers.jsonl "$name.jsonl"
}

for way in "--max-new-tokens 6" --no-generate; do
  for count in 0 1 2 3; do
    check "evaluate $way on $count ranks (0: without mpirun)" evaluate "$count" "evaluated-$count" $way
    check "$way: metrics of all examples" test "$(field "evaluated-$count.json" models.adapted.all.examples)" = 40
    check "$way: a line an example and model" test "$(wc -l <"evaluated-$count.jsonl")" = 80
  done
  for count in 1 2 3; do
    check "$way: answers of $count ranks have the bytes of one process" cmp evaluated-0.jsonl "evaluated-$count.jsonl"
    check "$way: so have the metrics" cmp evaluated-0.json "evaluated-$count.json"
  done
  # Without its model's name, an example of text has one line; one with an image has two.
  distinct() { grep "\"id\":\"$1" evaluated-0.jsonl | sed -E 's/"model":"[a-z]+",?//' | sort -u | wc -l; }
  check "$way: the adapter changes no number of an example of text" test "$(distinct text-)" = 6
  check "$way: it changes those of examples with images" test "$(distinct p)" = 60
done

check "for people there is a table" sh -c "'$IMAGELORA' evaluate run.yaml --base --no-generate --limit 2 >out && grep -q accuracy out"

# A benchmark's annotations become examples, and accuracy is told by their groups.
cp data/images/0.png data/web_a.png
cat >spot.json <<'JSON'
[{"img_filename": "web_a.png", "bbox": [1, 2, 10, 8], "instruction": "close", "data_type": "icon", "data_source": "tool"},
 {"img_filename": "web_a.png", "bbox": [4, 4, 9, 9], "instruction": "open", "data_type": "text", "data_source": "tool"}]
JSON
check "ScreenSpot's annotations become examples" "$IMAGELORA" rows spot.json --answer box --prompt "Where? {}" --output spot.jsonl
check "a line an annotation, with its prompt" test "$(field spot.jsonl 0.messages.0.content)" = "<image>Where? close"
check "and its corners" test "$(field spot.jsonl 0.objects.bbox)" = "[[1, 2, 11, 10]]"
check "the boxes are compared with the images" sh -c \
  '"$0" rows spot.json --answer box --image-root data --output compared.jsonl | grep -q "all boxes lie in their images"' "$IMAGELORA"
check "and are the same" test "$(field compared.jsonl 1.objects.bbox)" = "[[4, 4, 13, 13]]"
sed 's/\[4, 4, 9, 9\]/[4, 4, 9, 9000]/' spot.json >outside.json
refused 65 "a box outside its image" 'outside.json' '\[1\]: bbox .*outside the image' rows outside.json --answer box \
  --image-root data --output none.jsonl
sed 's/\[4, 4, 9, 9\]/[14, 14, 9, 9]/' spot.json >wide.json
refused 65 "width and height read as corners" 'wide.json' 'give --box xywh' rows wide.json --answer box --box xyxy \
  --output none.jsonl
refused 65 "an image that is not there" 'missing/web_a.png' 'image' rows spot.json --answer box --image-root missing \
  --output none.jsonl
echo '[{"img_filename": "web_a.png", "bbox": [1, 2, 11, 10], "instruction": "close", "img_size": [9999, 20], "id": "a"}]' >pro.json
refused 65 "a size that is not the image's" 'pro.json' '\[0\]: says that the image is 9999 x 20' rows pro.json --answer box \
  --image-root data --output none.jsonl
refused 65 "an id twice" 'pro.json' 'the id "a" is also in pro.json' rows pro.json pro.json --answer box --output none.jsonl
spotted=(evaluate run.yaml --set data.validation=spot.jsonl --set data.coordinates=relative_1000)
check "the examples are evaluated" sh -c '"$0" "$@" --base --max-new-tokens 6 --output spotted.jsonl --json >spotted.json' \
  "$IMAGELORA" "${spotted[@]}"
groups=models.base.groups
check "metrics by platform" test "$(field spotted.json $groups.platform.web.examples)" = 2
check "metrics by kind" test "$(field spotted.json $groups.data_type.icon.examples)" = 1
check "predictions have their group" test "$(field spotted.jsonl 0.group.platform) $(field spotted.jsonl 0.group.data_type)" = "web icon"
refused 65 "an adapter for other coordinates" "whole-1/$last" 'data.coordinates' "${spotted[@]}" --checkpoint "whole-1/$last"
