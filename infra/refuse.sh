#!/usr/bin/env bash
# `@condition || exec bash infra/refuse.sh SENTENCE` in a recipe: says why make stops, without make's own "*** Error 1" after it (see leave in typed.py, for
# which there has to be a Python).
echo "$*" >&2
[ -z "$(trap -p QUIT)" ] || exit 1
kill -QUIT "$PPID"
# make waits for this program. It must have the signal by then, or it would take the 0 for success.
sleep 1
