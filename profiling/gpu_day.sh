#!/usr/bin/env bash
# Everything worth doing on the first day with a GPU, in one command, for somebody who has never seen the project:
#
#   profiling/gpu_day.sh [OUTPUT_FOLDER]     default: profiling/results/gpu-<date>
#
# Builds with the CUDA device, holds it against the CPU device (xrai_check), runs the tests that need a card, the same
# under compute-sanitizer's four tools, a short training run in each precision, benchmarks of plain5 and resnet18, and the
# same networks in PyTorch on the same card where $PYTHON (default: python3) has one built for CUDA. Each step's output is
# kept as a file, summary.txt says what passed. Takes about an hour. Exit codes: 0 all passed, 1 something failed, 4 no
# usable GPU.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-} in
  -h | --help) sed -n '2,10p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
  -*) echo "gpu_day.sh: there is no flag $1" >&2; exit 2 ;;
esac
out=${1:-profiling/results/gpu-$(date +%Y-%m-%d)}
bin=build/release/bin
mkdir -p "$out" || exit 1
: >"$out/summary.txt"
failed=0

# step NAME COMMAND...: runs it, keeps what it prints in NAME.txt, and goes on whatever comes of it.
step() {
  local name=$1 status=0 began=$SECONDS
  shift
  printf '%-34s' "$name"
  "$@" >"$out/$name.txt" 2>&1 || status=$?
  local word=passed
  ((status == 0)) || word="FAILED ($status), see $out/$name.txt"
  ((status == 77)) && word="skipped, see $out/$name.txt"
  ((status == 0 || status == 77)) || failed=1
  printf '%s, %d s\n' "$word" $((SECONDS - began))
  printf '%-34s%s\n' "$name" "$word" >>"$out/summary.txt"
}

# Debug symbols are not needed: compute-sanitizer names kernels, which say enough.
sanitize() { compute-sanitizer --tool "$1" --error-exitcode 9 "$bin/test_cuda_gpu" --gtest_filter='*fp32*:*bf16*'; }

bench() {
  local mode=$1 model=$2 precision=$3 name="bench-$1-$2-$3"
  step "$name" "$bin/xrai_bench" "$mode" --model "$model" --size 224 --batch-size 64 --device cuda --precision "$precision" \
    --warmup 20 --iterations 100 --json
  [[ -s "$out/$name.txt" ]] && mv "$out/$name.txt" "$out/$name.json"
}

step build bash -c 'cmake --preset release -DXRAI_CUDA=ON && cmake --build --preset release'
((failed == 0)) || exit 1
step info "$bin/xrai_info"
step info-json "$bin/xrai_info" --json
if ! python3 - "$out/info-json.txt" <<'PY'
import json, sys
devices = json.load(open(sys.argv[1]))["devices"]
sys.exit(0 if any(d["name"].startswith("cuda:") and d["usable"] for d in devices) else 1)
PY
then
  echo "There is no GPU that can be used:"
  grep -A 5 cuda "$out/info.txt"
  exit 4
fi

for precision in fp32 tf32 bf16 fp16; do
  step "check-$precision" "$bin/xrai_check" --device cuda --precision "$precision"
done
step tests ctest --test-dir build/release -L gpu --output-on-failure
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck synccheck; do step "sanitizer-$tool" sanitize "$tool"; done
else
  echo "compute-sanitizer is not on PATH (it is part of the CUDA toolkit): its four steps are left out" | tee -a "$out/summary.txt"
fi

data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
step data "$bin/xrai_dataset" synth "$data/synthetic.h5"
for precision in fp32 tf32 bf16 fp16; do
  step "train-$precision" "$bin/xrai_gpu_train" --data "$data/synthetic.h5" --out "$data/$precision" --device cuda \
    --precision "$precision" --members 1
  step "evaluate-$precision" "$bin/xrai_evaluate" --checkpoint "$data/$precision" --data "$data/synthetic.h5" --json
done

for model in plain5 resnet18; do
  for precision in fp32 tf32 bf16 fp16; do
    bench train "$model" "$precision"
    bench infer "$model" "$precision"
  done
done

# A PyTorch that is not there, or not built for this card, is 77: skipped, with its sentence in the file.
for way in eager compile; do
  for precision in fp32 tf32 bf16 fp16; do
    step "pytorch-$way-$precision" python3 profiling/compare_pytorch.py --device cuda --precision "$precision" --way "$way" \
      --model plain5 resnet18 --python "${PYTHON:-$(command -v python3)}" --json "$out/pytorch-$way-$precision.json"
  done
done

echo
cat "$out/summary.txt"
echo "Everything is in $out; please keep it with the commit it was measured on."
exit "$failed"
