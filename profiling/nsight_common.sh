# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # sourced and sourcing file use each other's variables
# What nsight_systems.sh and nsight_compute.sh share: their arguments, whether the tool is there, the training that is
# looked at. Sourced by them, not run.
source "$(dirname "${BASH_SOURCE[0]}")/../scripts/common.sh"

programs=$XRAI_ROOT/build/release/bin data=''
more=()

misused() { usage >&2; printf '\n%s\n' "$*" >&2; exit 2; }

# Sets what the options name; what stands behind -- goes into `more`. An option is known where its variable is.
parse_arguments() {
  while (($#)); do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --) shift; more=("$@"); break ;;
      --whole-graphs) [[ -v graphs ]] || misused "unknown option $1"; graphs=graph; shift; continue ;;
      --data | --out | --steps | --start | --bin | --kernel | --set) (($# > 1)) || misused "$1 needs a value" ;;
      *) misused "unknown option $1" ;;
    esac
    case $1 in
      --data) data=$2 ;;
      --out) out=$2 ;;
      --steps) steps=$2 ;;
      --start) start=$2 ;;
      --bin) programs=$2 ;;
      --kernel) [[ -v kernel ]] || misused "unknown option $1"; kernel=$2 ;;
      --set) [[ -v metrics ]] || misused "unknown option $1"; metrics=$2 ;;
    esac
    shift 2
  done
  [[ $steps =~ ^[1-9][0-9]*$ ]] || misused "--steps must be a number from 1 on, not $steps"
  [[ $start =~ ^[1-9][0-9]*$ ]] || misused "--start must be a number from 1 on, not $start"
}

# need_tool NAME PACKAGE PAGE
need_tool() {
  command -v "$1" >/dev/null && return
  printf '%s is not on PATH. It comes with the CUDA toolkit (then look in /usr/local/cuda/bin), as the package\n%s of %s, or from %s\n' \
    "$1" "$2" "NVIDIA's repository" "$3" >&2
  exit 77
}

# Draws the data set where none was named, and sets `training` to the command to look at. It stops soon behind the
# window: enough steps to see that the program goes on.
prepare_workload() {
  local last=$((start + steps + 3))
  [[ -x $programs/xrai_gpu_train ]] || fail "there is no $programs/xrai_gpu_train; build it, or name its folder with --bin"
  mkdir -p "$out"
  if [[ -z $data ]]; then
    data=$out/synthetic-$images-$size.h5
    [[ -e $data ]] || "$programs/xrai_dataset" synth "$data" --images "$images" --size "$size" --quiet
  fi
  rm -rf "$out/run"
  training=("$programs/xrai_gpu_train" --data "$data" --out "$out/run" --device cuda --epochs 1000 --max-steps "$last"
    --profile-start-step "$start" --profile-steps "$steps" "${more[@]}")
}
