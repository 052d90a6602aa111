#!/bin/sh
# What validate says, and how it ends: test_validate.sh PMAPSIM
# Prints each claim that does not hold; exits 1 if there is any.  Of the rungs only
# the one that depends on no host has to hold.
set -u

pmapsim=$1
# shellcheck source=tests/claims.sh
. "$(dirname "$0")/claims.sh"

run()
{
	run_command "$pmapsim" validate "$@"
}

# rows <rung>: how many lines of the table.
rows()
{
	grep -c "^$1 " "$tmp/out"
}

# L0 is of the model alone: it holds on any host, for each kind of pair.
run --preset clx-2s-104 --rungs 0 --json "$tmp/records"
claim "L0 holds" test "$status" -eq 0
claim "for each kind of pair of three presets" test "$(rows L0)" -eq 10
claim "exactly" test "$(grep -c 'exact  holds$' "$tmp/out")" -eq 10
claim "no other rung is climbed" test "$(rows 'L[123]')" -eq 0
claim "a record has the header and each line" \
    test "$(wc -l <"$tmp/records")" -eq 11
claim "with the verdict" grep -q \
    '"rung":"L0".*"unit":"ns","verdict":"holds","predicted":' "$tmp/records"

# L3 is of the model alone, too; what it says again is the same.
run --quick --preset clx-2s-104 --rungs 3
claim "L3 holds" test "$status" -eq 0
cp "$tmp/out" "$tmp/first"
run --quick --preset clx-2s-104 --rungs 3
grep '^L3' "$tmp/first" >"$tmp/a"
grep '^L3' "$tmp/out" >"$tmp/b"
claim "L3 is the same again" cmp -s "$tmp/a" "$tmp/b"

# L5 is of the model alone, and is judged by its order.
run --preset clx-2s-104 --rungs 5
claim "L5 ends" test "$status" -eq 0
claim "L5 has what was published, and its order" test "$(rows L5)" -eq 7
claim "processes scale, threads of one address space do not, as published" \
    test "$(grep -c 'processes against .* same order$' "$tmp/out")" -eq 2
# In the model a tie, or nearly.
claim "16 threads do no less than 104" \
    grep -Eiq '16 threads against 104 .* (same|no) order$' "$tmp/out"

# The others compare with this host: they end, with a table.
run --quick --rungs 1,2
claim "L1 and L2 hold or are missed" test "$status" -le 1
claim "L1 has lines" test "$(rows L1)" -ge 1
claim "L2 has lines" test "$(rows L2)" -ge 1
missed=$(grep -c 'MISSED$' "$tmp/out")
claim "a miss is an exit status" test "$((missed > 0))" -eq "$status"

fails 64 '--rungs: "6": expected some of 0,1,2,3,4,5 between commas' --rungs 6
fails 64 '--rungs: "0,": expected some of 0,1,2,3,4,5 between commas' --rungs 0,
fails 64 'validate: "x": expected options only' x
fails 66 './nosuch: No such file or directory' --preset ./nosuch

claims_end
