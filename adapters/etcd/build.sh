#!/usr/bin/env bash
# Builds the adapter against etcd's raft as Debian packages it (golang-go and
# golang-etcd-server-dev), and says where it is. An argument is where to put it.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
out=${1:-$here/target/etcd-adapter}
gopath=${ETCD_GOPATH:-/usr/share/gocode}
package=$gopath/src/go.etcd.io/etcd/raft

command -v go >/dev/null || { echo "build.sh: no Go: apt-get install golang-go" >&2; exit 2; }
[ -f "$package/rawnode.go" ] || { echo "build.sh: no etcd raft below $gopath: apt-get install golang-etcd-server-dev" >&2; exit 2; }
version=$(sed -n 's/^[[:space:]]*Version *= *"\([^"]*\)".*/\1/p' "$gopath/src/go.etcd.io/etcd/version/version.go" | head -1)
case $version in
3.4.*) hooks=$here/hooks/etcd-3.4.go ;;
*) echo "build.sh: no hooks for etcd $version; hooks/etcd-3.4.go shows what they are" >&2; exit 2 ;;
esac

mkdir -p "$(dirname "$out")"
laid=$(mktemp)
trap 'rm -f "$laid"' EXIT
printf '{"Replace": {"%s/adapter_hooks.go": "%s"}}\n' "$package" "$hooks" >"$laid"
GO111MODULE=off GOPATH=$gopath GOFLAGS= go build -overlay "$laid" -ldflags "-X main.version=$version" -o "$out" main.go wire.go
echo "$out"
