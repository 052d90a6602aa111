#!/bin/sh
# bench/direct and the programs it runs: test_direct.sh BENCH DIR
# BENCH is bench/direct, DIR the folder of the programs.  Prints each claim that
# does not hold; exits 1 if there is any.
set -u

bench=$1
dir=$2
# shellcheck source=tests/claims.sh
. "$(dirname "$0")/claims.sh"

# How many ns is not for a test.
run_command "$bench" --dir "$dir" --repeats 2 --seconds 0.001
claim "it succeeds" [ $status -eq 0 ]
for lock in gen2 rwlock; do
	for operation in enter enter_remove remove_pages; do
		claim "$lock has $operation" grep -Eq \
		    "^$lock +$operation +([0-9.]+ +){3}[0-9.]+ \(" "$tmp/out"
	done
done
claim "the bar is met or missed" grep -Eq ' 1\.02: (ok|MISS)$' "$tmp/out"

# That a program calls its lock directly shows by its refusing every other.
for how in direct inline; do
	for lock in gen2 rwlock mtx8; do
		for program in gen2 rwlock; do
			run_command "$dir/pmapsim_${how}_$program" micro \
			    --repeats 1 --seconds 0.001 \
			    --designs "hashed/$lock"
			want=0
			[ $lock = $program ] || want=1
			claim "$how $program with $lock" \
			    [ $((status != 0)) -eq $want ]
		done
	done
done

run_command "$bench" --foo
claim "a wrong option is wrong use" [ $status -eq 64 ]
run_command "$bench" --repeats 0
claim "a wrong number is wrong use" [ $status -eq 64 ]
run_command "$bench" --dir "$tmp" gen2
claim "what is not built is missing" [ $status -eq 69 ]

claims_end
