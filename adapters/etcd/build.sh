#!/usr/bin/env bash
# Builds the adapter against etcd's raft and says where it is. An argument is where to put it.
# By default that is 3.4 as Debian packages it (golang-go and golang-etcd-server-dev); with
# ETCD_RAFT the folder of a checkout of etcd-io/raft 3.6 and the Go that it wants.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
out=${1:-$here/target/etcd-adapter}
gopath=${ETCD_GOPATH:-/usr/share/gocode}
command -v go >/dev/null || { echo "build.sh: no Go: apt-get install golang-go" >&2; exit 2; }
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
laid=$(mktemp)
trap 'rm -f "$laid" "$laid".main "$laid".wire' EXIT

if [ -n "${ETCD_RAFT:-}" ]; then
  package=$(cd "$ETCD_RAFT" && pwd)
  grep -q 'applyingEntsPaused' "$package/log.go" || { echo "build.sh: $package is no etcd raft 3.6" >&2; exit 2; }
  version=${ETCD_RAFT_VERSION:-$(git -C "$package" describe --tags 2>/dev/null || echo 3.6)}
  for file in main wire; do sed 's#go.etcd.io/etcd/raft#go.etcd.io/raft/v3#' "$here/$file.go" >"$laid.$file"; done
  cat >"$laid" <<END
{"Replace": {"$package/adapter_hooks.go": "$here/hooks/etcd-3.6.go", "$package/adapter/main.go": "$laid.main", "$package/adapter/wire.go": "$laid.wire"}}
END
  (cd "$package" && go build -overlay "$laid" -ldflags "-X main.version=$version" -o "$out" ./adapter)
  echo "$out"
  exit
fi

package=$gopath/src/go.etcd.io/etcd/raft
[ -f "$package/rawnode.go" ] || { echo "build.sh: no etcd raft below $gopath: apt-get install golang-etcd-server-dev" >&2; exit 2; }
version=$(sed -n 's/^[[:space:]]*Version *= *"\([^"]*\)".*/\1/p' "$gopath/src/go.etcd.io/etcd/version/version.go" | head -1)
case $version in
3.4.*) hooks=$here/hooks/etcd-3.4.go ;;
*) echo "build.sh: no hooks for etcd $version; hooks/etcd-3.4.go shows what they are" >&2; exit 2 ;;
esac
printf '{"Replace": {"%s/adapter_hooks.go": "%s"}}\n' "$package" "$hooks" >"$laid"
GO111MODULE=off GOPATH=$gopath GOFLAGS= go build -overlay "$laid" -ldflags "-X main.version=$version" -o "$out" main.go wire.go
echo "$out"
