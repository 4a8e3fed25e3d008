#!/usr/bin/env bash
# List the targets of a Makefile with what is said after "##", in colour on a terminal.
set -euo pipefail

[ -t 1 ] && line='  \033[36m%-18s\033[0m %s\n' || line='  %-18s %s\n'
awk -v line="$line" 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf line, $1, $2}' "$@"
