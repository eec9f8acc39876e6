#!/usr/bin/env bash
# Onboards a client: makes its tenant, or brings it to what is asked for, and prints its address and a
# link that shows its first credentials once. To run it again is safe.
#
#   FLEET=https://fleet.example:8446 FLEET_TOKEN=… onboard.sh acme wordpress jo@acme.example acme.example www.acme.example
#
# FLEET_CA is a file with the certificate authority of the API, where the system does not know it:
# curl -k $FLEET/v1/ca > ca.pem, compared with what "lxdfleet ca export" prints on the controller.
# It needs curl and jq.
set -euo pipefail

usage() {
	echo "usage: FLEET=https://… FLEET_TOKEN=… [FLEET_CA=ca.pem] [PLAN=small] onboard.sh NAME IMAGE ADMIN-EMAIL DOMAIN..." >&2
	exit 2
}

[ $# -ge 4 ] && [ -n "${FLEET:-}" ] && [ -n "${FLEET_TOKEN:-}" ] || usage
name=$1 image=$2 email=$3
shift 3

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# call METHOD PATH [CURL-ARGUMENT...] leaves the answer in $work/answer and prints its status. The token
# goes in by a file: the arguments of a process are everybody's to see. What is busy or down for a moment
# (429, 503, …) is asked again, after as long as Retry-After says.
call() {
	local method=$1 path=$2
	shift 2
	curl --silent --show-error --retry 5 ${FLEET_CA:+--cacert "$FLEET_CA"} \
		--header @<(printf 'Authorization: Bearer %s\n' "$FLEET_TOKEN") \
		--request "$method" --output "$work/answer" --write-out '%{http_code}' "$@" "$FLEET$path"
}

# What the client's place is to be like: what is not said stays as it is.
jq --null-input --arg image "$image" --arg plan "${PLAN:-small}" --arg email "$email" --arg client "$name" \
	'{image: $image, plan: $plan, domains: $ARGS.positional, labels: {client: $client}, admin: {email: $email}}' \
	--args "$@" >"$work/wanted"

# 202: a job is still at work after a minute; the same request again waits on.
status=202
for _ in 1 2 3 4 5 6 7 8 9 10; do
	status=$(call PUT "/v1/tenants/$name" --header 'Content-Type: application/json' --header 'Prefer: wait=60' --data @"$work/wanted")
	[ "$status" = 202 ] || break
	jq --raw-output '"job \(.job.id) is \(.job.state)"' "$work/answer" >&2
done
if [ "$status" != 200 ]; then
	jq --raw-output '"\(.title): \(.field // "" | if . == "" then "" else . + ": " end)\(.detail)\n\(.hint // "")"' "$work/answer" >&2
	exit 1
fi
jq '{outcome, url, credentials: .credentials.link, shown_at: .credentials.shown_at} | with_entries(select(.value != null))' "$work/answer"
