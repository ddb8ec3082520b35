# The same bytes on 1, 2 and 3 ranks; the bytes reduced are those announced.

# whole N: a run on N ranks that nobody stops, kept in whole-N. Other parts compare with it.
whole() {
  [[ -d whole-$1 ]] && return
  rm -rf run
  if train "$1"; then ok "40 steps on $1 ranks"; else fail "40 steps on $1 ranks" out err; fi
  mv run "whole-$1"
  mv out "whole-$1/out"
}

for count in 1 2 3; do whole "$count"; done
for count in 2 3; do
  check "adapter, optimizer, scores and losses of $count ranks have the bytes of one" \
    same_state "whole-1/$last" "whole-$count/$last"
  check "h5diff finds no difference either" h5diff "whole-1/$last" "whole-$count/$last" /optimizer
  check "metrics.jsonl of $count ranks has the numbers of one" \
    same_log whole-1/metrics.jsonl "whole-$count/metrics.jsonl"
done
# Rows of several pictures in one pass.
for count in 1 3; do
  rm -rf run
  if train "$count" --set training.micro_batch=2; then ok "micro_batch 2 on $count ranks"; else fail "micro_batch 2 on $count ranks" out err; fi
  mv run "micro-$count"
done
check "with micro_batch 2 as well 3 ranks have the bytes of one" same_state "micro-1/$last" "micro-3/$last"
differs() { ! same_state "$@" >/dev/null; }
check "which are others than those of rows alone" differs "micro-1/$last" "whole-1/$last"

check "the losses are 40 different numbers" test \
  "$(sed -nE '/gradient_norm/ s/.*"loss":([^,]*),.*/\1/p' whole-1/metrics.jsonl | sort -u | wc -l)" = 40

# Before training: "reduced  B bytes a rank and step: N numbers of 16 bytes, and C bytes of counts: ...";
# after it: "reduced B bytes in M calls", counted by the communicator.
for count in 1 3; do
  read -r bytes numbers width counts <<<"$(sed -nE \
    's/^reduced +([0-9]+) bytes a rank.*: ([0-9]+) numbers of ([0-9]+) bytes, and ([0-9]+) bytes.*/\1 \2 \3 \4/p' \
    "whole-$count/out")"
  read -r sent calls <<<"$(sed -nE 's/^reduced ([0-9]+) bytes in ([0-9]+) calls.*/\1 \2/p' "whole-$count/out")"
  check "$count ranks: announced bytes are 16 a number and the counts" \
    test "${bytes:-0}" = "$((${numbers:-1} * 16 + ${counts:-0}))" -a "${width:-0}" = 16
  check "$count ranks: announced numbers are the checkpoint's" \
    test "${numbers:-0}" = "$(h5ls -r "whole-$count/$last" | sed -nE 's/^\/adapter\/layers.*\{(.*)\}/\1/p' |
      awk -F', ' '{ n = 1; for (i = 1; i <= NF; i++) n *= $i; sum += n } END { print sum }')"
  check "$count ranks: 40 calls reduced 40 times the announced bytes" \
    test "${sent:-0}" = "$((40 * ${bytes:-1}))" -a "${calls:-0}" = 40
done
