#!/usr/bin/env bash
# Bring up a real one-machine SLURM on loopback, for tests.  Run as root; safe to run again.
#
#   up.sh [STATE_DIR]            default /tmp/slurm-test
#
# Everything the cluster writes is under STATE_DIR.  Afterwards:  . STATE_DIR/env.sh
# Settings (environment):
#   SLURM_TEST_ACCT=dbd|none   dbd (default): slurmdbd + private mariadb, so `sacct` works (submitit needs it)
#                              none: no accounting; sbatch/squeue/scontrol only
#   SLURM_TEST_CPUS=8          CPUs the node claims (may exceed the real ones)
#   SLURM_TEST_MEM=16384       MB the node claims
#   SLURM_TEST_GPUS=2          fake GPUs of each node (device files that are copies of /dev/null); 0 = none
#   SLURM_TEST_NODES=1         slurmd daemons, named node1..nodeN (all on this host)
#   SLURM_TEST_PORT=26817      first of the loopback ports used (ctld, dbd, then one per node)
#   SLURM_TEST_INSTALL=1       0: never call apt-get
#   SLURM_TEST_LINK=1          also link /etc/slurm/slurm.conf here if nothing else is there.  Needed for code that
#                              scrubs SLURM_* from its environment (submitit.helpers.clean_env does: without
#                              SLURM_CONF and without this file every Slurm command tries a DNS SRV lookup and fails)
set -euo pipefail

STATE=$(realpath -m "${1:-/tmp/slurm-test}")
ACCT=${SLURM_TEST_ACCT:-dbd}
CPUS=${SLURM_TEST_CPUS:-8}
MEM=${SLURM_TEST_MEM:-16384}
GPUS=${SLURM_TEST_GPUS:-2}
NODES=${SLURM_TEST_NODES:-1}
PORT=${SLURM_TEST_PORT:-26817}
INSTALL=${SLURM_TEST_INSTALL:-1}
LINK=${SLURM_TEST_LINK:-1}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CLUSTER=slurmtest
T0=$(date +%s.%N)

say()  { printf '[up %6.2fs] %s\n' "$(awk -v a="$(date +%s.%N)" -v b="$T0" 'BEGIN{print a-b}')" "$*"; }
die()  { say "FAILED: $*" >&2; for f in "$STATE"/log/*.log; do [ -s "$f" ] && { echo "--- $f"; tail -n 15 "$f"; } >&2; done; exit 1; }
alive() { local p; p=$(cat "$1" 2>/dev/null) && [ -n "$p" ] && kill -0 "$p" 2>/dev/null \
          && tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | grep -q -- "$2"; }
await() { # await SECONDS WHAT CMD...
  local n=$(( $1 * 20 )) what=$2; shift 2
  while ! "$@" >/dev/null 2>&1; do n=$((n-1)); [ "$n" -gt 0 ] || die "waited too long for $what"; sleep 0.05; done
}

[ "$(id -u)" = 0 ] || { echo "run as root (sudo)"; exit 1; }
[ ${#STATE} -le 60 ] || { echo "STATE_DIR too long for unix sockets: $STATE"; exit 1; }

# ---------------------------------------------------------------- packages
missing() {
  command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v sbatch >/dev/null \
    && command -v munged >/dev/null || return 0
  [ "$ACCT" = dbd ] && ! { command -v slurmdbd >/dev/null && command -v mariadbd >/dev/null; } && return 0
  return 1
}
if missing; then
  [ "$INSTALL" = 1 ] || { echo "slurm packages are missing and SLURM_TEST_INSTALL=0"; exit 1; }
  pkgs="munge slurmctld slurmd slurm-client"
  [ "$ACCT" = dbd ] && pkgs="$pkgs slurmdbd mariadb-server-core mariadb-client-core"   # -core: no service, no Perl
  # no package may start its own daemon: this script starts private ones
  policy=/usr/sbin/policy-rc.d; made=
  [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; made=1; }
  trap '[ -z "$made" ] || rm -f "$policy"' EXIT
  log=$(mktemp)
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $pkgs >"$log" 2>&1 \
    || { apt-get update >>"$log" 2>&1 && DEBIAN_FRONTEND=noninteractive \
         apt-get install -y --no-install-recommends $pkgs >>"$log" 2>&1; } \
    || { tail -n 30 "$log"; exit 1; }
  rm -f "$log"; [ -z "$made" ] || rm -f $policy; made=; trap - EXIT
  say "installed: $pkgs"
fi

# ---------------------------------------------------------------- files
mkdir -p "$STATE"/{etc,log,run,ctld,spool}
chmod 755 "$STATE" "$STATE"/{etc,log,run,ctld,spool}
HOST=$(hostname -s)
getent hosts "$HOST" >/dev/null || die "this host's own name ($HOST) does not resolve; add '127.0.0.1 $HOST' to /etc/hosts"

[ -s "$STATE/etc/munge.key" ] || { (umask 077; head -c 1024 /dev/urandom >"$STATE/etc/munge.key"); }
chmod 400 "$STATE/etc/munge.key"

new_slurm_conf() {
cat <<CONF
ClusterName=$CLUSTER
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=$PORT
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$STATE/run/munge.sock
StateSaveLocation=$STATE/ctld
SlurmdSpoolDir=$STATE/spool/%n
SlurmctldPidFile=$STATE/run/slurmctld.pid
SlurmdPidFile=$STATE/run/slurmd-%n.pid
SlurmctldLogFile=$STATE/log/slurmctld.log
SlurmdLogFile=$STATE/log/slurmd-%n.log
PlugStackConfig=$STATE/etc/plugstack.conf
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# CPUs and memory are counted; config_overrides lets the node claim more than it has
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
DefMemPerCPU=256
# quick scheduling for tests
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=30
MessageTimeout=10
InactiveLimit=0
KillWait=5
MinJobAge=300
JobRequeue=1
OverTimeLimit=0
MaxArraySize=1001
# memory over the request kills the job (no cgroup needed)
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
# a preempted job gets its --signal (submitit's USR2) and GraceTime to checkpoint
SlurmctldParameters=preempt_send_user_signal
CONF
if [ "$ACCT" = dbd ]; then cat <<CONF
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((PORT+1))
AccountingStoragePass=$STATE/run/munge.sock
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
CONF
else cat <<CONF
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$STATE/log/jobcomp.txt
CONF
fi
[ "$GPUS" -gt 0 ] && echo "GresTypes=gpu"
local i gres=
[ "$GPUS" -gt 0 ] && gres=" Gres=gpu:$GPUS"
for ((i = 1; i <= NODES; i++)); do
  echo "NodeName=node$i NodeHostname=$HOST NodeAddr=127.0.0.1 Port=$((PORT+1+i)) CPUs=$CPUS RealMemory=$MEM$gres State=UNKNOWN"
done
cat <<CONF
PartitionName=cpu   Nodes=ALL Default=YES MaxTime=UNLIMITED DefaultTime=10 State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=short Nodes=ALL Default=NO  MaxTime=1 DefaultTime=1 State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=high  Nodes=ALL Default=NO  MaxTime=UNLIMITED DefaultTime=10 State=UP PriorityTier=9 PreemptMode=OFF
CONF
}
: >"$STATE/etc/plugstack.conf"
new_slurm_conf >"$STATE/etc/slurm.conf.new"
: >"$STATE/etc/gres.conf"
if [ "$GPUS" -gt 0 ]; then
  # gres/gpu wants one character device per GPU: a bare Count (or Flags=CountOnly) is reported as 0 and
  # the node goes INVAL.  Plain files serve too (slurmd logs an error and goes on) where mknod is not allowed.
  mkdir -p "$STATE/dev"
  for ((i = 0; i < GPUS; i++)); do
    [ -e "$STATE/dev/gpu$i" ] || mknod -m 666 "$STATE/dev/gpu$i" c 1 3 2>/dev/null || : >"$STATE/dev/gpu$i"
  done
  echo "AutoDetect=off" >"$STATE/etc/gres.conf"
  echo "Name=gpu File=$STATE/dev/gpu[0-$((GPUS-1))]" >>"$STATE/etc/gres.conf"
fi
if ! cmp -s "$STATE/etc/slurm.conf.new" "$STATE/etc/slurm.conf" && [ -e "$STATE/etc/slurm.conf" ] \
   && alive "$STATE/run/slurmctld.pid" slurmctld; then
  die "a cluster with other settings runs in $STATE: stop it first ($HERE/down.sh $STATE)"
fi
mv "$STATE/etc/slurm.conf.new" "$STATE/etc/slurm.conf"
if [ "$LINK" = 1 ] && { [ ! -e /etc/slurm/slurm.conf ] || [ -L /etc/slurm/slurm.conf ]; }; then
  old=$(readlink /etc/slurm/slurm.conf 2>/dev/null || true)
  # take over only a dangling link or our own, never another live cluster's
  if [ -z "$old" ] || [ ! -e "$old" ] || [ "$old" = "$STATE/etc/slurm.conf" ]; then
    mkdir -p /etc/slurm; ln -sfn "$STATE/etc/slurm.conf" /etc/slurm/slurm.conf
  fi
fi
cat >"$STATE/env.sh" <<CONF
export SLURM_CONF=$STATE/etc/slurm.conf
CONF
export SLURM_CONF=$STATE/etc/slurm.conf

# ---------------------------------------------------------------- munge
if ! alive "$STATE/run/munged.pid" munged; then
  rm -f "$STATE/run/munge.sock"*
  munged --key-file="$STATE/etc/munge.key" --socket="$STATE/run/munge.sock" \
         --pid-file="$STATE/run/munged.pid" --log-file="$STATE/log/munged.log" \
         --seed-file="$STATE/run/munged.seed" --num-threads=2 || die munged
  say "munged up (pid $(cat "$STATE/run/munged.pid"))"
fi

# ---------------------------------------------------------------- accounting
if [ "$ACCT" = dbd ]; then
  DB=$STATE/db; DBUSER=slurm   # the account that the slurm packages make
  if [ ! -d "$DB/mysql" ]; then
    rm -rf "$DB"; mkdir -p "$DB"; chown $DBUSER: "$DB"; chmod 700 "$DB"
    mariadb-install-db --no-defaults --user=$DBUSER --datadir="$DB" --auth-root-authentication-method=socket \
      --skip-test-db --innodb-log-file-size=16M >"$STATE/log/mariadb-install.log" 2>&1 || die mariadb-install-db
    say "database files created"
  fi
  mkdir -p "$STATE/dbrun"; chown $DBUSER: "$STATE/dbrun"; chmod 755 "$STATE/dbrun"
  if ! alive "$STATE/dbrun/mariadb.pid" mariadbd; then
    rm -f "$STATE/dbrun/mariadb.sock"
    : >"$STATE/log/mariadb.log"; chown $DBUSER: "$STATE/log/mariadb.log"
    setsid mariadbd --no-defaults --user=$DBUSER --datadir="$DB" --socket="$STATE/dbrun/mariadb.sock" \
      --pid-file="$STATE/dbrun/mariadb.pid" --skip-networking --skip-log-bin --performance-schema=OFF \
      --innodb-buffer-pool-size=32M --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=0 \
      --innodb-doublewrite=0 --innodb-lock-wait-timeout=900 --key-buffer-size=1M --max-connections=20 \
      --log-error="$STATE/log/mariadb.log" >/dev/null 2>&1 </dev/null &
    await 60 "mariadb" mariadb --no-defaults --socket="$STATE/dbrun/mariadb.sock" -u root -e 'select 1'
    mariadb --no-defaults --socket="$STATE/dbrun/mariadb.sock" -u root -e \
      "CREATE DATABASE IF NOT EXISTS slurm_acct_db;" || die "create database"
    say "mariadb up (pid $(cat "$STATE/dbrun/mariadb.pid"))"
  fi
  if ! alive "$STATE/run/slurmdbd.pid" slurmdbd; then
    (umask 077; cat >"$STATE/etc/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$STATE/run/munge.sock
DbdHost=$HOST
DbdAddr=127.0.0.1
DbdPort=$((PORT+1))
SlurmUser=root
LogFile=$STATE/log/slurmdbd.log
PidFile=$STATE/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
CommunicationParameters=NoInAddrAny
CONF
    )
    chmod 600 "$STATE/etc/slurmdbd.conf"
    rm -f "$STATE/run/slurmdbd.pid"
    MYSQL_UNIX_PORT="$STATE/dbrun/mariadb.sock" setsid slurmdbd </dev/null || die slurmdbd
    await 60 "slurmdbd" sacctmgr -n list cluster
    say "slurmdbd up (pid $(cat "$STATE/run/slurmdbd.pid"))"
  fi
  if ! sacctmgr -n -P list cluster format=cluster | grep -qx "$CLUSTER"; then
    sacctmgr -i add cluster "$CLUSTER" >/dev/null || true
  fi
fi

# ---------------------------------------------------------------- slurm
if ! alive "$STATE/run/slurmctld.pid" slurmctld; then
  rm -f "$STATE/run/slurmctld.pid"
  setsid slurmctld -f "$SLURM_CONF" </dev/null || die slurmctld
  await 60 slurmctld bash -c 'scontrol ping | grep -q UP'
  say "slurmctld up (pid $(cat "$STATE/run/slurmctld.pid"))"
fi
probe=
for ((i = 1; i <= NODES; i++)); do
  if ! alive "$STATE/run/slurmd-node$i.pid" slurmd; then
    mkdir -p "$STATE/spool/node$i"; rm -f "$STATE/run/slurmd-node$i.pid"; probe=1
    setsid slurmd -f "$SLURM_CONF" -N "node$i" </dev/null || die "slurmd node$i"
    await 30 "slurmd node$i" test -s "$STATE/run/slurmd-node$i.pid"
    say "slurmd node$i up (pid $(cat "$STATE/run/slurmd-node$i.pid"))"
  fi
done
ready() { [ "$(sinfo -h -N -p cpu -o %T | grep -cE '^(idle|mixed|allocated|completing)$')" -ge "$NODES" ]; }
await 60 "idle nodes" ready
if [ -n "$probe" ]; then   # end to end: a step really runs on every node
  timeout 60 srun -Q -p high -N "$NODES" --mem=16 -t 1 true || die "a test step (srun true) did not run"
fi
say "ready"
sinfo
cat <<TXT

use it:   . $STATE/env.sh
logs:     $STATE/log
stop it:  $HERE/down.sh $STATE          (add --purge to delete $STATE too)
TXT
