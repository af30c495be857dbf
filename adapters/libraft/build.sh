#!/usr/bin/env bash
# Builds the adapter over Debian's libraft-dev and libjansson-dev and says where it is. An argument is where to put it.
set -euo pipefail
cd "$(dirname "$0")"
out=${1:-$PWD/target/libraft-adapter}
library=$(find /usr/lib /usr/local/lib -name libraft.a 2>/dev/null | head -1)
[ -n "$library" ] && [ -f /usr/include/raft.h ] || { echo "build.sh: no libraft: apt-get install libraft-dev" >&2; exit 2; }
[ -f /usr/include/jansson.h ] || { echo "build.sh: no jansson: apt-get install libjansson-dev" >&2; exit 2; }
version=$(dpkg-query -W -f '${Version}' libraft-dev 2>/dev/null || echo unknown)
case $version in
0.15.* | unknown) ;;
*) echo "build.sh: internals.h is of libraft 0.15, and $version is installed" >&2; exit 2 ;;
esac
mkdir -p "$(dirname "$out")"
${CC:-cc} -std=gnu11 -O2 -g -Wall -Wextra -DVERSION="\"${version%-*}\"" -o "$out" main.c replica.c wire.c "$library" -ljansson
echo "$out"
