#!/bin/sh
# Lets the database write again.
systemctl stop lxdfleet-quiesce.service 2>/dev/null || true
rm -f /run/lxdfleet-quiesced
