#!/usr/bin/env bash
# Builds the adapter around the raft of a TinyKV folder, or with `--stores` around its stores, and says where it is.
# Nothing in the folder is changed.
# build.sh [--stores] TINYKV [OUT]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
name=tinykv-adapter needs=raft/rawnode.go program=(main.go wire.go) hooks=("raft hooks.go")
if [ "${1:-}" = --stores ]; then
  shift
  name=tinykv-stores needs=kv/raftstore/peer_msg_handler.go hooks+=("kv/raftstore store/hooks.go")
  program=(store/main.go store/wire.go store/world.go store/disks.go store/network.go store/actions.go)
fi
[ $# -ge 1 ] || { echo "build.sh: give it the folder of your TinyKV: build.sh [--stores] ~/tinykv" >&2; exit 2; }
command -v go >/dev/null || { echo "build.sh: no Go" >&2; exit 2; }
[ -f "$1/$needs" ] || { echo "build.sh: no $needs below $1" >&2; exit 2; }
theirs=$(cd "$1" && pwd)
out=${2:-$here/target/$name}
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")

laid=$(mktemp)
trap 'rm -f "$laid"' EXIT
{
  echo '{"Replace": {'
  for hook in "${hooks[@]}"; do
    echo "  \"$theirs/${hook% *}/rollcall_hooks.go\": \"$here/${hook#* }\","
  done
  for file in "${program[@]}"; do
    echo "  \"$theirs/rollcall/$(basename "$file")\": \"$here/$file\","
  done
} | sed '$s/,$//' >"$laid"
echo '}}' >>"$laid"
cd "$theirs"
go build -overlay "$laid" -o "$out" ./rollcall
echo "$out"
