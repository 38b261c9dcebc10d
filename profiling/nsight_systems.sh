#!/usr/bin/env bash
# Records some steps of a training with Nsight Systems and prints where the time went. What to look for in the report
# stands in profiling/README.md.
# shellcheck disable=SC2034,SC2154  # nsight_common.sh uses what is set here, and the other way round
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/nsight_common.sh"

usage() {
  cat <<'TEXT'
usage: profiling/nsight_systems.sh [options] [-- OPTIONS OF xrai_gpu_train]
  --data FILE.h5   data set to learn from (default: 2048 synthetic radiographs of 256 px, drawn for it)
  --out FOLDER     for the report and the run (default: runs/nsight-systems)
  --steps N        steps to record (default: 20)
  --start N        the first of them (default: 10, behind the warm-up and the recording of the CUDA graph)
  --whole-graphs   one bar for each replayed CUDA graph: no kernels to see, and the least disturbance
  --bin FOLDER     where the programs are (default: build/release/bin)

For example: profiling/nsight_systems.sh --steps 50 -- --model resnet18 --batch-size 128 --precision bf16
Exit codes: 2 usage, 77 Nsight Systems is not installed, else that of xrai_gpu_train.
TEXT
}

out=$XRAI_ROOT/runs/nsight-systems steps=20 start=10 graphs=node size=256 images=2048
parse_arguments "$@"
need_tool nsys 'cuda-nsight-systems-12-x or -13-x' https://developer.nvidia.com/nsight-systems
prepare_workload

# The program goes on after the window, so the end of the recording must not end it. osrt shows what the host waits for.
nsys profile --output "$out/report" --force-overwrite true --trace cuda,nvtx,osrt,cudnn,cublas \
  --capture-range cudaProfilerApi --capture-range-end stop --kill none --cuda-graph-trace "$graphs" \
  "${training[@]}"

nsys stats --force-export true --report nvtx_pushpop_sum,cuda_gpu_kern_sum,cuda_gpu_mem_time_sum \
  "$out/report.nsys-rep"
echo "open with nsys-ui: $out/report.nsys-rep"
