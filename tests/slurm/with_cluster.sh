#!/usr/bin/env bash
# Run a command with a SLURM of two nodes on this machine, then stop it:  with_cluster.sh COMMAND...
# Needs root. The cluster's files are in memory where /dev/shm is there.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BASE=/tmp
[ -w /dev/shm ] && BASE=/dev/shm
STATE=$(mktemp -d "$BASE/vlf-slurm-XXXXXX")
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
PORT=26817  # the first of ten that nobody listens to, so that two checkouts can do this at once
until ! { for p in $(seq "$PORT" $((PORT + 9))); do taken "$p" && break; done; }; do PORT=$((PORT + 10)); done
trap 'bash "$HERE/down.sh" "$STATE" --purge >/dev/null 2>&1 || true' EXIT
SLURM_TEST_PORT=$PORT SLURM_TEST_NODES=${SLURM_TEST_NODES:-2} bash "$HERE/up.sh" "$STATE" >"$STATE/up.log" 2>&1 \
  || { cat "$STATE/up.log" >&2; echo "error: the test cluster did not come up (see above)" >&2; exit 1; }
# shellcheck disable=SC1091
. "$STATE/env.sh"
export VLF_SLURM_TESTS=required
"$@"
