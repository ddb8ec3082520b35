# A base model that is overwritten or cut while commands use it, and the digest over all of its bytes.
source "$top/Tests/EndToEnd/background.sh"
weights=model/model.safetensors
cp "$weights" whole.safetensors

# restore: the weights in place, as they were.
restore() { cp whole.safetensors "$weights"; }

# overwrite: one byte of the weights in place.
overwrite() { printf '\022' | dd of="$weights" bs=1 seek="$(($(stat -c %s "$weights") - 2))" conv=notrunc status=none; }

# said PATTERN: the program's only line on standard error says so.
said() {
  cat err
  [[ $(grep -c '^imagelora: ' err) = 1 ]] && grep -qE "^imagelora: .*$1" err
}

# valid: some checkpoint was saved, and all are whole.
valid() { (cd run && ls step-*.h5 >/dev/null && ! ls ./*.partial 2>/dev/null && ! [[ -e $last ]]); }

for count in 0 2; do
  for attempt in 1 2 3 4 5; do
    begin "$count"
    await reached 5 || true
    overwrite
    end
    restore
    [[ -e run/$last ]] || break
  done
  check "the base overwritten in a run ($count ranks): status 65" test "$status" = 65
  check "the base overwritten in a run ($count ranks): one line names the file" \
    said 'model.safetensors: changed while it was in use.*restore it.*--resume auto'
  check "the base overwritten in a run ($count ranks): the checkpoints before stay" valid
  check "restored, the run goes on to its end ($count ranks)" train "$count" --resume auto

  for attempt in 1 2 3 4 5; do
    # No checkpoint until the end, whose check of the base would come first.
    begin "$count" --set checkpoint.every_steps=100 --set training.validation_every_steps=100
    await reached 5 || true
    truncate -s 4096 "$weights"
    end
    restore
    [[ -e run/$last ]] || break
  done
  check "the base cut in a run ($count ranks): status 1" test "$status" = 1
  check "the base cut in a run ($count ranks): one line names the file, and no other speaks of a signal" sh -c \
    "cat err; [ \$(grep -cE '^imagelora: .*model.safetensors: was cut while it was in use; restore it' err) = 1 ] &&
      ! grep -qiE 'SIGBUS|Bus error|backtrace|signal code' err"
  check "restored, the cut run goes on to its end ($count ranks)" train "$count" --resume auto
done

"$IMAGELORA" inspect model --json >before.json
check "no full digest is known before it was made" sh -c '! grep -q full_digest before.json'
"$IMAGELORA" inspect model --verify --json >verified.json
full=$(field verified.json full_digest)
check "--verify makes one" test "${#full}" = 64
"$IMAGELORA" inspect model --json >after.json
check "and it is known from then on" test "$(field after.json full_digest)" = "$full"
# The disk gives another byte, and nobody wrote it.
touch -r "$weights" time
overwrite
touch -r time "$weights"
found=0
"$IMAGELORA" inspect model --verify >out 2>err || found=$?
check "other bytes under the same size and time: status 65" test "$found" = 65
check "other bytes under the same size and time: one line" said 'model: the weights have other bytes.*fetch'
restore
rm -f model/imagelora_digest.json
rm -rf run
