# Runs the script $1, unless it has ended well before. Where the daemon was
# killed, a first run of it may still be under way: then this waits for its end.
set -eu
cd /
lock=
if flock -o / true 2>/dev/null; then lock="flock -o $1.lock"; fi
exec $lock sh -euc '
	if [ -e "$1.done" ]; then
		echo "(done before the restart)"
		exit 0
	fi
	sh -eu "$1"
	: >"$1.done"
' sh "$1"
