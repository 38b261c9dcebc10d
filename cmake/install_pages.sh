#!/usr/bin/env bash
# Makes what is installed beside the programs from the programs themselves: completion for bash and zsh, and a manual
# page for every program and command where help2man is given.
#   install_pages.sh BIN SHARE HELP2MAN|- PROGRAM...
set -euo pipefail
bin=$1 share=$2 help2man=$3
shift 3
rm -rf "$share"
mkdir -p "$share/man/man1" "$share/bash-completion/completions" "$share/zsh/site-functions"
stand_ins=$(mktemp -d)
trap 'rm -rf "$stand_ins"' EXIT

# manual_page PROGRAM [COMMAND]: help2man runs what it describes, so it is given a stand-in that shows the help of the
# command; it takes the page's name from the usage, so the command is added to title and name. The first sentence of
# --help is what the page is about.
manual_page() {
  local page=$1${2:+-$2} purpose
  "$bin/$1" ${2:-} --help | sed -e 's/^usage:/Usage:/' -e 's/^  \(6 training\)/\1/' >"$stand_ins/help"
  purpose=$(sed '/^$/q' "$stand_ins/help" | tr '\n' ' ' | sed -e 's/\. .*//' -e 's/[. ]*$//')
  printf '#!/bin/sh\nexec cat "%s"\n' "$stand_ins/help" >"$stand_ins/$page"
  chmod +x "$stand_ins/$page"
  "$help2man" --no-info --name="$purpose" --manual=xrai --version-string="$version" "$stand_ins/$page" |
    sed -e "1,5s/^\.TH [^ ]*/.TH ${page^^}/" -e "1,5s/^$1 /$page /" >"$share/man/man1/$page.1"
}

for program in "$@"; do
  "$bin/$program" --completion bash >"$share/bash-completion/completions/$program"
  "$bin/$program" --completion zsh >"$share/zsh/site-functions/_$program"
  [[ $help2man == - ]] && continue
  version=$("$bin/$program" --version | head -n 1)
  manual_page "$program"
  for command in $("$bin/$program" --completion commands); do
    manual_page "$program" "$command"
  done
done
