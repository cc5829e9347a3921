#!/usr/bin/env bash
# Stop only the daemons that up.sh started in STATE_DIR (by their pid files).
#   down.sh [STATE_DIR] [--purge]
set -uo pipefail
STATE=$(realpath -m "${1:-/tmp/slurm-test}")
[ -e "$STATE/etc/slurm.conf" ] || { echo "no cluster in $STATE"; exit 0; }
export SLURM_CONF=$STATE/etc/slurm.conf

# a daemon that has exited may stay a zombie for seconds where PID 1 is slow to reap: that counts as gone
running() { local st; st=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) && [ "${st%% *}" != Z ]; }
stop() { # stop PIDFILE NAME SECONDS
  local p n; p=$(cat "$1" 2>/dev/null) || return 0
  [ -n "$p" ] && tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -q -- "$2" || { rm -f "$1"; return 0; }
  kill -TERM "$p" 2>/dev/null
  for ((n = $3 * 20; n > 0; n--)); do running "$p" || break; sleep 0.05; done
  running "$p" && { echo "$2 (pid $p) ignored TERM, killing"; kill -KILL "$p"; }
  rm -f "$1"; echo "stopped $2 ($p)"
}
# jobs first, so that no step process outlives its slurmd
if timeout 10 scontrol ping 2>/dev/null | grep -q UP; then
  timeout 10 scancel --state=PENDING --state=RUNNING --state=SUSPENDED -u "$(id -un)" 2>/dev/null
  timeout 10 squeue -h -o %A 2>/dev/null | sort -u | xargs -r timeout 10 scancel 2>/dev/null
  for ((n = 0; n < 100; n++)); do [ -z "$(timeout 10 squeue -h 2>/dev/null)" ] && break; sleep 0.1; done
fi
for f in "$STATE"/run/slurmd-*.pid; do [ -e "$f" ] && stop "$f" slurmd 15; done
stop "$STATE/run/slurmctld.pid" slurmctld 15
stop "$STATE/run/slurmdbd.pid" slurmdbd 15
stop "$STATE/dbrun/mariadb.pid" mariadbd 30
stop "$STATE/run/munged.pid" munged 10
[ "$(readlink /etc/slurm/slurm.conf 2>/dev/null)" = "$SLURM_CONF" ] && rm -f /etc/slurm/slurm.conf
[ "${2:-}" = --purge ] && rm -rf "$STATE" && echo "deleted $STATE"
exit 0
