# shellcheck shell=bash
# What failed, in few lines: the last that a script prints, where people look first.

# failures LOG... prints which tests failed, from the output of `go test` or gotestsum, and what each
# said first. Where no test did: what else is said there of failing, or last.
failures() {
	local log name said
	for log in "$@"; do
		[ -e "$log" ] || continue
		said=$(sed -n 's/^ *--- FAIL: \([^ ]*\).*/\1/p' "$log" | awk '!seen[$0]++' | while read -r name; do
			echo "--- FAIL: $name"
			awk -v name="$name" '/^=== / || /^ *--- / {on = ($3 == name); left = 0}
				on && /_test\.go:[0-9]+:/ {left = /daemon.s log:$/ ? 0 : 2}
				on && left-- > 0' "$log" | head -n 4
		done)
		if [ -z "$said" ]; then said=$(grep -E '^(panic: |FAIL|[^ ]+\.go:[0-9]+:[0-9]+: )' "$log" || tail -n 4 "$log"); fi
		printf '%s\n' "$said"
	done | cut -c 1-160 | awk NF | tail -n 15
}
