# Vision features cached on disk: the same bytes without them, while they are made, and from them alone, on 1 and 2
# ranks; damage and a full disk cost time and no numbers.
declare -F whole >/dev/null || source "$top/Tests/EndToEnd/ranks.sh"

keep=(--set model.feature_cache=features --set model.feature_memory_mib=0)

# kept N WHAT [ARGUMENT...]: the run with a cache on N ranks ends with the bytes of the run without one.
kept() {
  rm -rf run
  if train "$1" "${keep[@]}" "${@:3}"; then ok "$2, $1 ranks"; else fail "$2, $1 ranks" out err; fi
  check "$2, $1 ranks: adapter, optimizer, scores and losses have the bytes of the run without a cache" \
    same_state "whole-1/$last" "run/$last"
}

# The ten images of the examples; the validation's are among them.
whole 1
for count in 1 2; do
  rm -rf features
  kept "$count" "a cold cache"
  check "a cold cache, $count ranks: empty at the start" \
    test "$(field run/summary.json vision_features.images)" = 10 -a \
    "$(field run/summary.json vision_features.cached_at_start)" = 0
  check "a cold cache, $count ranks: ten complete files and nothing else" \
    sh -c 'test $(find features -name "*.h5" | wc -l) = 10 && test $(find features -type f | wc -l) = 10'
  sha256sum $(find features -name '*.h5' | sort) >"features-$count.sha256"
done
check "two ranks write the files of one" cmp features-1.sha256 features-2.sha256
for count in 1 2; do
  kept "$count" "a warm cache"
  check "a warm cache, $count ranks: full at the start" \
    test "$(field run/summary.json vision_features.cached_at_start)" = 10
  check "a warm cache, $count ranks: no image is computed" \
    test "$(field run/summary.json vision_features.read)" -gt 0 -a \
    "$(field run/summary.json vision_features.computed)" = 0
done
kept 1 "a warm cache on disk and in memory" --set model.feature_memory_mib=256
check "a warm cache on disk and in memory: each image is read once" \
  test "$(field run/summary.json vision_features.read)" = 10 -a \
  "$(field run/summary.json vision_features.computed)" = 0

for command in "probe run.yaml --output kept.h5" "evaluate run.yaml --base --no-generate"; do
  check "${command%% *} takes them too" ranks 2 "$IMAGELORA" $command "${keep[@]}"
done
ranks 0 "$IMAGELORA" probe run.yaml --output plain.h5 >out 2>err
check "and its scores are the same file" cmp plain.h5 kept.h5
check "with all this no file was written again" sha256sum --check --quiet features-1.sha256

mapfile -t files < <(find features -name '*.h5' | sort)
truncate -s 1000 "${files[0]}"
printf 'not HDF5' >"${files[1]}"
cp "${files[3]}" "${files[2]}"
half=$(($(stat -c %s "${files[4]}") / 2))
head -c "$half" /dev/zero | tr '\0' '\377' | dd of="${files[4]}" bs="$half" seek=1 conv=notrunc 2>dd.err
kept 2 "damaged, foreign and mistaken files"
check "damaged, foreign and mistaken files are written again" sha256sum --check --quiet features-1.sha256

h5attributes() { h5dump -A "${files[0]}" | sed -nE 's/^ *ATTRIBUTE "(.*)" .*/\1/p' | sort | tr '\n' ' '; }
check "a file's attributes" test "$(h5attributes)" = \
  "base_digest conditions grid picture_digest schema_version "
check "a file's checksum" sh -c "h5dump -p -H ${files[0]} | grep -q FLETCHER32"

# Two jobs at once on an empty folder.
rm -rf features run run-b
train 1 "${keep[@]}" --set checkpoint.directory=run-b &
other=$!
ranks 1 "$IMAGELORA" train run.yaml "${keep[@]}" >out.a 2>err.a || fail "two jobs at once: the first" out.a err.a
wait "$other" || fail "two jobs at once: the second" out err
for folder in run run-b; do
  check "two jobs at once: the bytes of the run without a cache ($folder)" same_state "whole-1/$last" "$folder/$last"
done
check "two jobs at once: the files of one" sha256sum --check --quiet features-1.sha256
rm -rf run run-b

: >a-file
for count in 0 2; do
  found=0
  train "$count" --set model.feature_cache=a-file/features || found=$?
  check "a folder that cannot be made ($count ranks): status 65" test "$found" = 65
  check "a folder that cannot be made ($count ranks): one line names the key" sh -c \
    'test $(grep -c "^imagelora: " err) = 1 && grep -q "^imagelora: model.feature_cache: .*/a-file/features: " err'
done

# Room for a few images.
mkdir -p little
if mount -t tmpfs -o "size=$(($(stat -c %s "${files[0]}") * 3 + 8192))" tmpfs little 2>/dev/null; then
  mounted=$work/little
  kept 1 "a full disk" --set model.feature_cache=little
  check "a full disk: one line says so" sh -c \
    'test $(grep -c "^imagelora: " err) = 1 && grep -q "^imagelora: model.feature_cache: .*No space left" err'
  check "a full disk: nothing half-written is left" test "$(find little -name '*.partial' | wc -l)" = 0
  umount little
  mounted=
else
  echo "      no mount allowed here: a full disk is left to the unit tests"
fi

# A bound of a quarter of what the run would keep.
rm -rf bounded
total=$(du -cb features/*/*.h5 | tail -n 1 | cut -f 1)
kept 2 "a bounded cache" --set model.feature_cache=bounded \
  --set model.feature_cache_gib="$(python3 -c "print($total / 4 / 2**30)")"
check "a bounded cache holds no more" test "$(du -cb bounded/*/*.h5 | tail -n 1 | cut -f 1)" -le "$((total / 2))"
rm -rf run features
