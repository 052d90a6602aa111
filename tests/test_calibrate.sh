#!/bin/sh
# What calibrate writes, and how it ends: test_calibrate.sh PMAPSIM PRESETS
# PRESETS is the folder of bundled presets.  Prints each claim that does not hold;
# exits 1 if there is any.  No number is looked at but for being one.
set -u

pmapsim=$1
presets=$2
# shellcheck source=tests/claims.sh
. "$(dirname "$0")/claims.sh"

run()
{
	run_command "$pmapsim" calibrate "$@"
}

# The keys of a preset, sorted.
keys()
{
	sed -n 's/^\([a-z0-9_]*\) = .*/\1/p' "$1" | sort
}

# The preset of this host has every number, each with a source, and reads back.
run --quick --output "$tmp/host.preset" --json "$tmp/host.json"
claim "calibrate succeeds" test "$status" -eq 0
claim "its report is on standard output" grep -q '^line_cluster ' "$tmp/out"
keys "$presets/clx-2s-104.preset" >"$tmp/want"
keys "$tmp/host.preset" >"$tmp/found"
claim "it has the numbers of a bundled preset" \
    cmp -s "$tmp/want" "$tmp/found"
claim "and a source for each" \
    test "$(grep -c ' = [0-9.]* # source: .' "$tmp/host.preset")" -eq \
    "$(wc -l <"$tmp/want")"
claim "rmw is measured" grep -q '^rmw = .* # source: measured' "$tmp/host.preset"
claim "and more than nothing" \
    grep -q '^rmw = [0-9.]*[1-9][0-9.]* #' "$tmp/host.preset"
claim "what is not measured names the base" \
    grep -q '^store_buffer = 56 # source: clx-2s-104; not measured' \
    "$tmp/host.preset"
claim "a record has the numbers" \
    grep -q '"type":"calibration".*"line_remote":{"value":"' "$tmp/host.json"
claim "records are two lines" test "$(wc -l <"$tmp/host.json")" -eq 2

# It is a preset like another, as a base too.
sed 's/^store_buffer = 56/store_buffer = 57/' "$tmp/host.preset" \
    >"$tmp/other.preset"
run --quick --base "$tmp/other.preset"
claim "calibrate accepts what it wrote" test "$status" -eq 0
claim "without --output the preset is on standard output" \
    grep -q '^store_buffer = 57 # source: other; not measured' "$tmp/out"
claim "and the report on standard error" grep -q '^line_cluster ' "$tmp/err"

# What is wrong is said in one line, before anything is measured.
names="clx-2s-104, milan-2s-256, genoa-2s-384, altra-80, laptop-8"
fails 66 "nosuch: no such file, and no bundled preset has this name; those are $names" \
    --base nosuch
fails 66 './nosuch: No such file or directory' --base ./nosuch
sed 's/^rmw = .*/rmw = 7/' "$tmp/host.preset" >"$tmp/bad.preset"
line=$(grep -n '^rmw = ' "$tmp/bad.preset" | cut -d: -f1)
text='expected "# source: ..." after the number, found the end of the line'
fails 65 "$tmp/bad.preset:$line: $text" --base "$tmp/bad.preset"
grep -v '^rmw = ' "$tmp/host.preset" >"$tmp/bad.preset"
fails 65 "$tmp/bad.preset: expected a line \"rmw = NUMBER # source: ...\"" \
    --base "$tmp/bad.preset"
fails 64 '--json -: expected --output, so that the preset goes elsewhere' \
    --json -
fails 64 'calibrate: "x": expected options only' x
fails 73 "$tmp/no/x: No such file or directory" --json "$tmp/no/x"

claims_end
