#!/bin/sh
# Exits 0 when the site is well.
exec curl -fsS -o /dev/null -m 10 -H 'X-Forwarded-Proto: https' http://127.0.0.1/lxdfleet-health
