#!/bin/sh
# bench/direct and the programs it runs: test_direct.sh BENCH DIR
# BENCH is bench/direct, DIR the folder of the programs.  Exits 1 at the first
# thing that does not hold.
set -u

bench=$1
dir=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

# holds <what> <command>...
holds()
{
	what=$1
	shift
	"$@" >/dev/null 2>&1 && return
	echo "test_direct: does not hold: $what"
	cat "$tmp/out" "$tmp/err"
	exit 1
}

run()
{
	status=0
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
}

# How many ns is not for a test.
run "$bench" --dir "$dir" --repeats 2 --seconds 0.001
holds "it succeeds" [ $status -eq 0 ]
for lock in gen2 rwlock; do
	for operation in enter enter_remove remove_pages; do
		holds "$lock has $operation" grep -Eq \
		    "^$lock +$operation +([0-9.]+ +){3}[0-9.]+ \(" "$tmp/out"
	done
done
holds "the bar is met or missed" grep -Eq ' 1\.02: (ok|MISS)$' "$tmp/out"

# That a program calls its lock directly shows by its refusing every other.
for how in direct inline; do
	for lock in gen2 rwlock mtx8; do
		for program in gen2 rwlock; do
			run "$dir/pmapsim_${how}_$program" micro --repeats 1 \
			    --seconds 0.001 --designs "hashed/$lock"
			want=0
			[ $lock = $program ] || want=1
			holds "$how $program with $lock" \
			    [ $((status != 0)) -eq $want ]
		done
	done
done

run "$bench" --foo
holds "a wrong option is wrong use" [ $status -eq 64 ]
run "$bench" --repeats 0
holds "a wrong number is wrong use" [ $status -eq 64 ]
run "$bench" --dir "$tmp" gen2
holds "what is not built is missing" [ $status -eq 69 ]
