#!/bin/sh
# Schedules that are explored, as the program offers it: test_explore.sh PMAPSIM
# PMAPSIM is the program, with pmapsim-explore beside it.  Prints each claim that
# does not hold; exits 1 if there is any.
set -u

pmapsim=$1
# shellcheck source=tests/claims.sh
. "$(dirname "$0")/claims.sh"

run()
{
	run_command "$pmapsim" explore "$@"
}

# field <name>: of the record of a scenario.
field()
{
	sed -n "/\"type\":\"explore\"/s/.*\"$1\":\"*\([^,\"}]*\).*/\1/p" \
	    "$tmp/json"
}

run --list
claim "--list succeeds" equal "$status" 0
claim "--list names a scenario" out_matches '^counter  *2  '
claim "--list names designs" out_matches '^  counter  *sparse/gen2 '

fails 64 'explore: "x": expected options only' x
fails 64 '--scenario: no "x"; see --list' --scenario x
fails 64 '--scenario: "counter,": a name is empty' --scenario counter,
fails 64 '--strategy: "x": expected random[:N], pct[:D], bounded[:P] or mix' \
    --strategy x
fails 64 '--replay: expected one scenario and one design' --replay 1
for plan in x 1:x 1:1@2 1:1@2=3,x 1:1@2=16; do
	fails 64 "--replay: \"$plan\": expected a seed, or a plan as it is printed \
with a failure" --scenario counter --replay $plan
done
run --scenario counter --design sparse/none --runs 1
claim "a lock that excludes nobody is refused" equal "$status" 64
run --scenario counter --bug nonsense --runs 1
claim "a fault that there is not is refused" equal "$status" 64

# What is right.
for strategy in random random:4 pct:2 bounded:1 mix; do
	run --scenario counter,lock-spin --design all --runs 150 \
	    --strategy $strategy
	claim "$strategy finds nothing" equal "$status" 0
	claim "$strategy says so" out_matches 'nothing found$'
done
run --scenario counter --strategy bounded:1 --json "$tmp/json"
claim "all schedules with one preemption are run" out_matches \
    ' complete, 1 preemption$'
claim "the record says so" equal "$(field complete)" true
run --scenario counter --runs 70 --jobs 3 --json "$tmp/json"
claim "as many runs as were asked for" equal "$(field runs)" 70
events=$(field events)
run --scenario counter --runs 70 --jobs 1 --json "$tmp/json"
claim "they are the same whoever makes them" equal "$(field events)" "$events"
run --scenario counter --runs 70 --seed 1000 --json "$tmp/json"
claim "with other seeds others" [ "$(field events)" -ne "$events" ]
run --scenario counter --seconds 0.2 --json "$tmp/json"
claim "time ends it" equal "$status" 0

# What is wrong is found, in a number of runs, and had again.
# found <scenario> <fault> <runs> <result> [<option>...]
found()
{
	scenario=$1 bug=$2 runs=$3 result=$4
	shift 4
	run --scenario "$scenario" --bug "$bug" --runs "$runs" --jobs 2 \
	    --json "$tmp/json" "$@"
	claim "$scenario finds $bug" equal "$status" 1
	claim "$bug is a $result" equal "$(field result)" "$result"
	again=$(sed -n 's/^again: pmapsim explore //p' "$tmp/out")
	claim "$bug has a line for another time" [ -n "$again" ]
	# The line has no blanks or quotes within words.
	# shellcheck disable=SC2086
	run $again
	claim "$bug comes again" equal "$status" 1
	claim "$bug comes again in the same way" out_matches "^$result: "
	if command -v addr2line >/dev/null; then
		claim "$bug is shown, with places in the code" out_matches \
		    ' T1 .* \[[a-z_0-9]* [a-z_0-9]*\.[ch]:[0-9]*\]$'
	fi
	cp "$tmp/out" "$tmp/first"
	# shellcheck disable=SC2086
	run $again
	claim "$bug looks the same each time" cmp -s "$tmp/out" "$tmp/first"
}

found reclaim-pass B1 2000 check
found enter-replace B3 2000 check
found tlb-load b5 8000 check
found tlb-protect B19 2000 check
found di-free di_late 8000 check
found tlb-protect B19 10000 check --strategy bounded:1

# Which run is found does not depend on how many there are at a time.
run --scenario tlb-protect --bug B19 --runs 2000 --jobs 1 --as-found \
    --json "$tmp/json"
seed=$(field found_seed)
plan=$(sed -n 's/^again: .* //p' "$tmp/out")
run --scenario tlb-protect --bug B19 --runs 2000 --jobs 3 --as-found \
    --json "$tmp/json"
claim "the first seed that fails is found" equal "$(field found_seed)" "$seed"
claim "with the same choices" out_matches "^again: .* $plan\$"
run --scenario tlb-protect --bug B19 --replay "$seed"
claim "a seed is a run" equal "$status" 1
run --scenario tlb-protect --bug B19 --replay "$plan" --full
claim "so is a plan" equal "$status" 1
run --scenario tlb-protect --replay "$plan"
claim "without the fault it passes" equal "$status" 0
run --scenario counter --runs 10 --steps 100
claim "too many events are a livelock" out_matches '^livelock: no end after 100 '

claims_end
