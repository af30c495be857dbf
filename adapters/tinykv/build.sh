#!/usr/bin/env bash
# Builds the adapter around the raft of a TinyKV folder, and says where it is. Nothing in the folder is changed.
# build.sh TINYKV [OUT]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { echo "build.sh: give it the folder of your TinyKV: build.sh ~/tinykv" >&2; exit 2; }
command -v go >/dev/null || { echo "build.sh: no Go" >&2; exit 2; }
[ -f "$1/raft/rawnode.go" ] || { echo "build.sh: no raft/rawnode.go below $1" >&2; exit 2; }
theirs=$(cd "$1" && pwd)
out=${2:-$here/target/tinykv-adapter}
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")

laid=$(mktemp)
trap 'rm -f "$laid"' EXIT
cat >"$laid" <<END
{"Replace": {
  "$theirs/raft/rollcall_hooks.go": "$here/hooks.go",
  "$theirs/rollcall/main.go": "$here/main.go",
  "$theirs/rollcall/wire.go": "$here/wire.go"
}}
END
cd "$theirs"
go build -overlay "$laid" -o "$out" ./rollcall
echo "$out"
