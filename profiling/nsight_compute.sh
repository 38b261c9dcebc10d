#!/usr/bin/env bash
# Takes the kernels of one step apart with Nsight Compute: how near each comes to the card's memory and arithmetic. Every
# kernel is run many times over, so the step is a small one. What to look for stands in profiling/README.md.
# shellcheck disable=SC2034,SC2154  # nsight_common.sh uses what is set here, and the other way round
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/nsight_common.sh"

usage() {
  cat <<'TEXT'
usage: profiling/nsight_compute.sh [options] [-- OPTIONS OF xrai_gpu_train]
  --kernel REGEX   only kernels whose name holds this, such as batch_norm (default: all)
  --set NAME       what to measure: basic, detailed or full (default: detailed)
  --data FILE.h5   data set to learn from (default: 512 synthetic radiographs of 128 px, drawn for it)
  --out FOLDER     for the report and the run (default: runs/nsight-compute)
  --steps N        steps to take apart (default: 1)
  --start N        the first of them (default: 5, behind the warm-up and the recording of the CUDA graph)
  --bin FOLDER     where the programs are (default: build/release/bin)

For example: profiling/nsight_compute.sh --kernel 'augment|batch_norm' --set full -- --batch-size 128
Exit codes: 2 usage, 77 Nsight Compute is not installed, else that of xrai_gpu_train.
TEXT
}

out=$XRAI_ROOT/runs/nsight-compute steps=1 start=5 kernel='' metrics=detailed size=128 images=512
parse_arguments "$@"
need_tool ncu 'cuda-nsight-compute-12-x or -13-x' https://developer.nvidia.com/nsight-compute
prepare_workload

ncu --export "$out/report" --force-overwrite --profile-from-start off --graph-profiling node --nvtx --set "$metrics" \
  ${kernel:+--kernel-name "regex:$kernel"} "${training[@]}"
echo "open with ncu-ui, or print with ncu --import: $out/report.ncu-rep"
