# shellcheck shell=bash
# What the scripts share: where the project is, how many compilers fit into the memory, stages with their time.
# Sourced by the others, not run.

XRAI_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly XRAI_ROOT

if [[ -t 1 && -z "${NO_COLOR:-}" ]]; then
  BOLD=$'\033[1m' DIM=$'\033[2m' RED=$'\033[31m' PLAIN=$'\033[0m'
else
  BOLD='' DIM='' RED='' PLAIN=''
fi

fail() { printf '%serror:%s %s\n' "$RED" "$PLAIN" "$*" >&2; exit 1; }

# stage TITLE: says what begins. stage_done [NOTE]: says how long it took.
stage() {
  STAGE_BEGAN=$SECONDS
  printf '\n%s== %s%s\n' "$BOLD" "$*" "$PLAIN"
}
stage_done() { printf '%s   %s%s%s\n' "$DIM" "${1:+$1, }" "$(duration $((SECONDS - STAGE_BEGAN)))" "$PLAIN"; }

duration() {
  if (($1 >= 60)); then printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); else printf '%d s' "$1"; fi
}

# One compiler takes up to 1.5 GB on the files that include the command line and JSON libraries.
build_jobs() {
  local cores available_kb by_memory
  cores=$(nproc)
  available_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  by_memory=$((available_kb / 1500000))
  ((by_memory < 1)) && by_memory=1
  echo $((by_memory < cores ? by_memory : cores))
}

# build_preset NAME [TARGET]: configures and builds. XRAI_CMAKE_FLAGS is added to the configure line. Shows ninja's one line on
# a terminal; elsewhere only what went wrong.
build_preset() {
  local preset=$1 target=${2:-all} log="$XRAI_ROOT/build/$1/build.log" flags=()
  read -r -a flags <<<"${XRAI_CMAKE_FLAGS:-}"
  command -v ccache >/dev/null && flags+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  mkdir -p "$XRAI_ROOT/build/$preset"
  (
    cd "$XRAI_ROOT"
    cmake --preset "$preset" ${flags[@]+"${flags[@]}"} >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
    if [[ -t 1 ]]; then
      cmake --build --preset "$preset" --target "$target" -j "$(build_jobs)"
    else
      cmake --build --preset "$preset" --target "$target" -j "$(build_jobs)" >>"$log" 2>&1 ||
        { sed -n '/^FAILED/,$p' "$log" | head -n 60 >&2; exit 1; }
    fi
  ) || fail "the $preset build failed; the whole log is $log"
}

# Of ctest's report what is worth keeping where nobody watches: all but the tests that pass, of which every 500th is told.
without_passed_tests() {
  awk '/^ +Start +[0-9]+: / { next }
       /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
         if (/ Passed +[0-9.]+ sec *$/) { if (++n % 500 == 0) print n " passed"; fflush(); next }
         gsub(/\.\.\.\.+/, "...")
       }
       { print; fflush() }'
}

# run_tests PRESET [ctest arguments]: runs them and says how many ran, failed and were skipped, with the reasons.
run_tests() {
  local preset=$1 status=0
  shift
  local folder="$XRAI_ROOT/build/$preset"
  local command=(ctest --test-dir "$folder" --output-on-failure --no-tests=error --output-junit "$folder/tests.xml" -j "$(nproc)" "$@")
  rm -rf "$folder/tests.xml" "$folder/shards"
  if [[ -t 1 ]]; then
    "${command[@]}" </dev/null || status=$?
  else
    "${command[@]}" </dev/null | without_passed_tests || status=$?
  fi
  python3 "$XRAI_ROOT/scripts/summarise_tests.py" "$folder/tests.xml" || status=1
  return "$status"
}
