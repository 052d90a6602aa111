#!/bin/sh
# Faults of src/kern/bug.h that are a matter of order, found by exploring:
# test_explore_bugs.sh PMAPSIM
#
# Each row "bug=NAME" of mutations.sh is explored with a fixed seed and number of
# runs, with the fault, which has to be found, and without, when nothing may be.
# PMAPSIM is the program, with pmapsim-explore beside it.  Exits 1 if a fault is
# missed, or something else found.
set -u

pmapsim=$1
# shellcheck source=tests/mutations.sh
. "$(dirname "$0")/mutations.sh"
# shellcheck source=tests/claims.sh
. "$(dirname "$0")/claims.sh"

# A fault is found by some hundred runs, or by some thousand at worst.
with=40000
without=300

# explore <scenario> <design> <strategy> <runs> <status that is expected>
explore()
{
	run_command "$pmapsim" explore --scenario "$1" --design "$2" \
	    --strategy "$3" --runs "$4" --seed 1 --jobs 2 --as-found
	claim "$1, $2: status $5 in $4 runs" equal "$status" "$5"
}

explore_table | grep '^bug=' >"$tmp/rows"
while IFS='|' read -r bug scenario design strategy; do
	explore "$scenario" "$design" "${strategy:-mix}" $without 0
	explore "$scenario" "$design+$bug" "${strategy:-mix}" $with 1
done <"$tmp/rows"
claim "there are rows" [ -s "$tmp/rows" ]

claims_end
