# model.precision: bf16 is refused where it would cost more than fp32, chosen by itself where the processor has it, and
# trains either way. Every processor is one without its instructions to oneDNN under DNNL_MAX_CPU_ISA=AVX2; whether this
# one has them is asked of the kernel.
source "$top/Tests/EndToEnd/refusals.sh"

native=fp32
! grep -qw avx512_bf16 /proc/cpuinfo || native=bf16

bf16=$top/Tests/ParityTests/Resources/b/model # all weights BF16
on_bf16=(run.yaml --set "model.path=$bf16" --set training.steps=6)

# trained CLAIM PRECISION NAME [ARGUMENT...]: the run NAME on the BF16 model computes in PRECISION, and its loss falls.
trained() {
  local claim=$1 precision=$2 name=$3 status=0 found
  shift 3
  rm -rf "$name"
  ranks 0 "$IMAGELORA" train "${on_bf16[@]}" --set checkpoint.directory="$name" "$@" >out 2>err || status=$?
  if [[ $status -ne 0 ]]; then
    fail "$claim: status $status" err
    return
  fi
  found=$(field "$name/sessions.jsonl" -1.precision)
  check "$claim: compute precision $precision ($found)" test "$found" = "$precision"
  check "$claim: the loss falls" awk 'NR == 1 { first = $1 } { last = $1 } END { exit !(NR == 6 && last < first) }' \
    <<<"$(column "$name/metrics.jsonl" loss)"
}

trained "a BF16 checkpoint on this processor" "$native" chosen
trained "fp32 numbers rounded to bf16 in place of bf16 instructions" bf16 emulated \
  --set model.precision=bf16 --set model.emulate_bf16=true
export DNNL_MAX_CPU_ISA=AVX2
trained "a BF16 checkpoint on a processor without bf16 instructions" fp32 plain
refused 65 "bf16 on a processor without its instructions" 'run file: model.precision: bf16' 'emulate_bf16: true' \
  train "${on_bf16[@]}" --set checkpoint.directory=refused-bf16 --set model.precision=bf16
unset DNNL_MAX_CPU_ISA
check "nothing was written for the refused run" test ! -e refused-bf16
if [[ $native = bf16 ]]; then
  trained "bf16 as the run file states it" bf16 stated --set model.precision=bf16
else
  refused 65 "bf16 on this processor" 'run file: model.precision: bf16' 'emulate_bf16: true' \
    train "${on_bf16[@]}" --set checkpoint.directory=refused-bf16 --set model.precision=bf16
fi
# Under a library that was told other kernels, on one rank and on two.
pinned=(--set model.reproducible=across_processors)
OPENBLAS_CORETYPE=Sandybridge trained "kernels pinned for all processors" fp32 pinned-1 "${pinned[@]}"
check "2 ranks with pinned kernels" env OPENBLAS_CORETYPE=Sandybridge \
  "${mpirun[@]}" -n 2 "$IMAGELORA" train "${on_bf16[@]}" --set checkpoint.directory=pinned-2 "${pinned[@]}"
check "the same bytes as on 1" same_state pinned-1/latest.h5 pinned-2/latest.h5
OPENBLAS_CORETYPE=Haswell DNNL_MAX_CPU_ISA=AVX2 ONEDNN_MAX_CPU_ISA=AVX2 \
  trained "by the libraries' own variables" fp32 by-hand "${pinned[@]}"
check "the same bytes by the libraries' own variables" same_state pinned-1/latest.h5 by-hand/latest.h5
refused 65 "bf16 by instructions with pinned kernels" 'run file: model.precision: bf16' 'emulate_bf16: true' \
  train "${on_bf16[@]}" --set checkpoint.directory=refused-bf16 --set model.precision=bf16 "${pinned[@]}"
different() { ! same_log "$1" "$2"; }
check "bf16 is not fp32 by another name: other losses" different emulated/metrics.jsonl plain/metrics.jsonl
OPENBLAS_CORETYPE=Sandybridge trained "those other kernels" fp32 others --set model.precision=fp32
check "are others: other losses" different pinned-1/metrics.jsonl others/metrics.jsonl
rm -rf chosen emulated plain stated pinned-1 pinned-2 by-hand others
