# shellcheck shell=bash
# Shared by the scripts that run LXD without systemd: messages, recorded
# processes, waiting, and cleaning up after a killed run. Source it.

say() { printf '%s\n' "${0##*/}: $*"; }
warn() { printf '%s\n' "${0##*/}: $*" >&2; }
die() {
	warn "$*"
	explained=1
	exit 1
}

# quit STATUS ends a script that has already said why.
quit() {
	explained=1
	exit "$1"
}

# A command that fails unforeseen ends the script: say which.
explained=0
explain_end() {
	if [ "$1" != 0 ] && [ "$explained" = 0 ]; then warn "stopped with status $1 at: $2"; fi
}
trap 'explain_end $? "$BASH_COMMAND"' EXIT

require_root() { [ "$(id -u)" = 0 ] || die "must run as root"; }

machine_has_systemd() { [ -d /run/systemd/system ]; }

# --- Asking LXD -------------------------------------------------------------

# lxd_get SOCKET PATH [curl options] prints LXD's answer, and fails on an error
# or after five seconds.
lxd_get() {
	local socket=$1 path=$2
	shift 2
	curl -sSf --max-time 5 --unix-socket "$socket" "$@" "http://lxd$path" 2>/dev/null
}

lxd_answers() { [ -S "$1" ] && lxd_get "$1" /1.0 >/dev/null; }

# lxd_reachable_socket prints the socket of an LXD that somebody runs on this
# machine, and fails if there is none.
lxd_reachable_socket() {
	local socket
	for socket in "${LXD_SOCKET:-}" "${LXD_DIR:+$LXD_DIR/unix.socket}" \
		/var/snap/lxd/common/lxd/unix.socket /var/lib/lxd/unix.socket; do
		if [ -n "$socket" ] && lxd_answers "$socket"; then
			echo "$socket"
			return 0
		fi
	done
	return 1
}

# wait_until SECONDS COMMAND... repeats COMMAND until it succeeds.
wait_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		if [ "$SECONDS" -ge "$end" ]; then return 1; fi
		sleep 0.1
	done
}

# --- Processes, by record ---------------------------------------------------
# A record is one file: pid, start time, boot id. All three must match before
# a signal is sent, so a reused pid is never hit.

# proc_start PID prints the start time of a process that is not a zombie. The
# command's name may hold blanks and brackets: read after the last bracket.
proc_start() {
	local stat fields
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	read -ra fields <<<"${stat##*) }"
	[ "${fields[0]}" != Z ] || return 1
	echo "${fields[19]}"
}

record_proc() {
	local file=$1 pid=$2 start
	start=$(proc_start "$pid") || return 1
	echo "$pid $start $(cat /proc/sys/kernel/random/boot_id)" >"$file.tmp"
	mv "$file.tmp" "$file"
}

# recorded_pid FILE prints the pid if that very process still runs.
recorded_pid() {
	local pid start boot
	read -r pid start boot 2>/dev/null <"$1" || return 1
	[ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] || return 1
	[ "$(proc_start "$pid")" = "$start" ] || return 1
	echo "$pid"
}

recorded_gone() { ! recorded_pid "$1" >/dev/null; }

# end_recorded FILE [SIGNAL [SECONDS]] ends the recorded process, by SIGKILL
# once the time is up, and drops the record.
end_recorded() {
	local file=$1 signal=${2:-TERM} seconds=${3:-10} pid
	if pid=$(recorded_pid "$file"); then
		kill -s "$signal" "$pid" 2>/dev/null || true
		if ! wait_until "$seconds" recorded_gone "$file"; then
			kill -s KILL "$pid" 2>/dev/null || true
			wait_until 5 recorded_gone "$file" || warn "process $pid does not end"
		fi
	fi
	rm -f "$file"
}

# --- The machine ------------------------------------------------------------

# raise_limits lets instances out to the network, and lets many of them run:
# without an idmap of its own each counts against one user's limits, and
# Linux's own are used up by about twenty. Never lowered again: another LXD
# may count on them by then.
raise_limits() {
	local entry key least
	for entry in net/ipv4/ip_forward=1 fs/inotify/max_user_instances=1024 \
		fs/inotify/max_user_watches=1048576 kernel/keys/maxkeys=2000 kernel/keys/maxbytes=2000000; do
		key=/proc/sys/${entry%=*} least=${entry#*=}
		if [ -e "$key" ] && [ "$(cat "$key")" -lt "$least" ]; then
			echo "$least" >"$key" || warn "cannot set $key to $least"
		fi
	done
}

# forward_rules -I|-D BRIDGE opens (or closes) the machine's own firewall where it
# drops forwarded packets, as Docker makes it do.
forward_rules() {
	local way bridge=$2
	command -v iptables >/dev/null || return 0
	for way in -i -o; do
		if iptables -C FORWARD "$way" "$bridge" -j ACCEPT 2>/dev/null; then
			if [ "$1" = -D ]; then iptables -D FORWARD "$way" "$bridge" -j ACCEPT; fi
		elif [ "$1" = -I ] && iptables -S FORWARD 2>/dev/null | grep -qx -- '-P FORWARD DROP'; then
			iptables -I FORWARD "$way" "$bridge" -j ACCEPT
		fi
	done
}

# --- Leftovers of a killed LXD ----------------------------------------------

# loops_under DIR prints the loop devices whose backing file is below DIR.
loops_under() {
	losetup -nlO NAME,BACK-FILE 2>/dev/null | awk -v dir="$1/" 'index($2, dir) == 1 {print $1}'
}

# lxd_procs_under DIR prints the processes of LXD that work for an LXD_DIR
# below DIR: daemons, monitors, forked helpers. The program must be lxd itself,
# for a user's shell may well carry LXD_DIR too.
lxd_procs_under() {
	local dir=$1 proc word words
	for proc in /proc/[0-9]*; do
		case $(readlink "$proc/exe" 2>/dev/null) in
		*/lxd | */lxd\ \(deleted\)) ;;
		*) continue ;;
		esac
		{ mapfile -d '' -t words < <(cat "$proc/environ" "$proc/cmdline"); } 2>/dev/null
		for word in "${words[@]}"; do
			case $word in
			"LXD_DIR=$dir" | "LXD_DIR=$dir/"* | "[lxc monitor] $dir/"*)
				echo "${proc#/proc/}"
				break
				;;
			esac
		done
	done
}

# instance_procs_under DIR prints the processes of instances whose root file
# system is on a loop file below DIR. They outlive a killed monitor.
instance_procs_under() {
	local dir=$1 loops proc
	loops=$(loops_under "$dir")
	[ -n "$loops" ] || return 0
	for proc in /proc/[0-9]*; do
		if awk -v loops=" ${loops//$'\n'/ } " '
			$5 == "/" { for (i = 7; i <= NF; i++) if ($i == "-") source = $(i + 2) }
			END { exit !(source != "" && index(loops, " " source " ")) }
		' "$proc/mountinfo" 2>/dev/null; then
			echo "${proc#/proc/}"
		fi
	done
}

# kill_leftovers DIR ends what a killed LXD left: monitors first, so that none
# restarts or reports anything, then the instances' own processes.
kill_leftovers() {
	local dir=$1 pid left=''
	for _ in $(seq 50); do
		left=$(lxd_procs_under "$dir" && instance_procs_under "$dir")
		[ -n "$left" ] || return 0
		for pid in $left; do kill -KILL "$pid" 2>/dev/null || true; done
		sleep 0.1
	done
	warn "processes do not end: ${left//$'\n'/ }"
}

# unmount_under DIR unmounts everything below DIR. Private first: an unmount
# must not travel to a peer of a bind mount, such as /sys/fs/cgroup.
unmount_under() {
	local dir=$1 target
	while read -r target; do
		mount --make-rprivate "$target" 2>/dev/null || true
		umount -l "$target" 2>/dev/null || true
	done < <(findmnt -rno TARGET | awk -v dir="$dir/" 'index($1, dir) == 1' | sort -r)
}

no_loops_under() { [ -z "$(loops_under "$1")" ]; }

detach_loops_under() {
	local loop
	for loop in $(loops_under "$1"); do losetup -d "$loop" 2>/dev/null || true; done
	wait_until 5 no_loops_under "$1" || warn "loop devices stay: $(loops_under "$1" | tr '\n' ' ')"
}

# --- Control groups ---------------------------------------------------------

# instance_names_under DIR prints the names, as LXC knows them, of all
# instances that the LXD_DIRs below DIR have or had: logs outlive an instance.
instance_names_under() {
	find "$1" -mindepth 2 -maxdepth 3 \( -path '*/containers/*' -o -path '*/logs/*' \) \
		! -type f -printf '%f\n' 2>/dev/null | sort -u || true
}

# instance_cgroups NAME... prints the control groups of these instances. LXC
# appends -1, -2, ... where another LXD has an instance of that name.
instance_cgroups() {
	local name tests=()
	[ $# -gt 0 ] || return 0
	for name in "$@"; do
		tests+=(-o -name "lxc.payload.$name" -o -name "lxc.payload.$name-[0-9]*"
			-o -name "lxc.monitor.$name" -o -name "lxc.monitor.$name-[0-9]*")
	done
	find /sys/fs/cgroup -type d \( -false "${tests[@]}" \) -prune -print 2>/dev/null || true
}

# remove_cgroups NAME... drops the empty control groups that killed instances
# left. rmdir refuses a group with a process in it, so a live one is safe.
remove_cgroups() {
	local group
	instance_cgroups "$@" | while read -r group; do
		find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
	done
}

# orphan_cgroups NAME... prints those control groups that have no process.
orphan_cgroups() {
	local group
	instance_cgroups "$@" | while read -r group; do
		find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null | grep . >/dev/null || echo "$group"
	done
}
