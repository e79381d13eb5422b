#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The guest build of the stack runs between a guest's system call and its return: it must touch no vector register, keep no state outside of
# its stacks, and need nothing of a C library.
#   guest_code_test.sh LIBRARY
set -eu
library=$1
fail() { echo "FAILED: $1"; exit 1; }

text=$(objdump -d --no-show-raw-insn "$library")
[ "$(echo "$text" | wc -l)" -gt 1000 ] || fail "objdump shows no code"
echo "$text" | grep -E '%([xyz]mm|st\(|mm)[0-9]' | head -5 | grep . && fail "vector or x87 registers"

# Symbols of junction_uthread are fine; so is what the library defines itself.
defined=$(nm --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort -u)
allowed='^(junction_(memcpy|memmove|memset|memcmp|strlen)|_ZN8junction10TimerQueue(3Arm|6Cancel|6RunDue)E.*|_GLOBAL_OFFSET_TABLE_)$'
nm -u "$library" | awk '$1 == "U" { print $2 }' | sort -u | while read -r symbol; do
  echo "$defined" | grep -qxF "$symbol" || echo "$symbol" | grep -qE "$allowed" || echo "$symbol"
done | grep . && fail "undefined symbols"

nm "$library" | awk 'NF == 3 && $2 ~ /^[DdBbGgSsC]$/ { print }' | grep . && fail "state that is written"
nm "$library" | grep -E '__cxa_|_ZGV|__gxx|__tls|_ZTI' && fail "exceptions, RTTI, guards or TLS"
echo "no vector registers, no outside symbols, no state"
