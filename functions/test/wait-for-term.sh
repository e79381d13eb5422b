#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A child process that lives until SIGTERM, and says so.
trap 'echo "child got SIGTERM"; kill "$sleeper"; exit 0' TERM
sleep 60 &
sleeper=$!
echo "child started"
wait "$sleeper"
