#!/usr/bin/env bash
# Run a command with a SLURM of two nodes on this machine, then stop it:  with_cluster.sh COMMAND...
# Needs root. The cluster's files are in memory where /dev/shm is there.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BASE=/tmp
[ -w /dev/shm ] && BASE=/dev/shm
STATE=$(mktemp -d "$BASE/vlf-slurm-XXXXXX")
trap 'bash "$HERE/down.sh" "$STATE" --purge >/dev/null 2>&1 || true' EXIT
SLURM_TEST_NODES=${SLURM_TEST_NODES:-2} bash "$HERE/up.sh" "$STATE" >"$STATE/up.log" 2>&1 \
  || { cat "$STATE/up.log" >&2; echo "error: the test cluster did not come up (see above)" >&2; exit 1; }
# shellcheck disable=SC1091
. "$STATE/env.sh"
export VLF_SLURM_TESTS=required
"$@"
