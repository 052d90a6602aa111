#!/bin/sh
# Runs on modelled hosts, as the program offers them: test_virtual_cli.sh PMAPSIM
# RECORDS BENCH
# PMAPSIM is the program, with pmapsim-virtual beside it; RECORDS checks its JSON
# lines; BENCH is the folder with bundled maps and presets.  Prints each claim that
# does not hold; exits 1 if there is any.
set -u

pmapsim=$1
records=$2
bench=$3
# shellcheck source=tests/claims.sh
. "$(dirname "$0")/claims.sh"

# As little work as there can be.
designs=head,sparse/gen2+batch
small="--map $bench/memmaps/vm-4cpu-3g-2n.map --virtual clx-2s-104 --cpus 6"
small="$small --seconds 0.001 --repeats 2 --designs $designs --text-copies 3"
small="$small --text-pages 700 --anon-pages 64"

run()
{
	run_command "$pmapsim" "$@"
}

# hashes <file>: one a run.
hashes()
{
	sed -n 's/.*"event_hash":"\([0-9a-f]*\)".*/\1/p' "$1"
}

# Options.
virtual="compare --virtual laptop-8"
for option in cpus set jobs plot; do
	fails 64 "--$option: expected with --virtual" compare --$option 1
done
# shellcheck disable=SC2086 # lists of words, here and below
{
	fails 64 '--pin: not with --virtual' $virtual --pin core
	fails 64 '--check: not with --virtual' $virtual --check
	fails 64 '--cpus: "0": expected a number from 1 to 1024' \
	    $virtual --cpus 0
	fails 64 '--cpus: "1025": expected a number from 1 to 1024' \
	    $virtual --cpus 8,1025
	fails 64 '--cpus: "1,": expected numbers between commas' \
	    $virtual --cpus 1,
	fails 64 '--threads: "x": expected a number from 1 to 1024' \
	    $virtual --threads x
	text='--threads, --cpus: expected a number of threads once, not 4 twice'
	fails 64 "$text" $virtual --cpus 2,4 --threads 4
	text='--threads, --cpus: expected lists of one length, or one number'
	fails 64 "$text; there are 3 and 2" $virtual --cpus 2,4 --threads 1,2,3
	fails 64 '--jobs: "0": expected a number from 1 to 1024' \
	    $virtual --jobs 0
	fails 64 '--designs: lock "pthread_mutex": real mode only' \
	    $virtual --designs sparse/pthread_mutex
	text='expected a name that ends in .svg or .png'
	fails 64 "--plot: \"x.jpg\": $text" $virtual --plot x.jpg
	run $virtual --set nosuch=1
	claim "an unknown number is wrong use" equal "$status" 64
	claim "and is one line" equal "$(wc -l <"$tmp/err")" 1
	claim "that names the option" grep -q -e '^pmapsim: --set: ' "$tmp/err"
	run $virtual --set line_remote=1
	claim "numbers that do not go together are wrong use" \
	    equal "$status" 64
}
run compare --virtual nosuch
claim "an unknown preset is no input" equal "$status" 66
claim "and is answered with those there are" \
    grep -q 'nosuch: .*clx-2s-104.*altra-80' "$tmp/err"
printf 'sockets = 2\n' >"$tmp/bad.preset"
run compare --virtual "$tmp/bad.preset"
claim "a preset without sources is bad data" equal "$status" 65
claim "and is named with file and line" \
    grep -q "^pmapsim: $tmp/bad.preset:1: " "$tmp/err"
fails 66 "$tmp/nosuch: No such file or directory" \
    compare --virtual "$tmp/nosuch"
run compare --preset nosuch
claim "an unknown set of options is wrong use" equal "$status" 64
claim "and is answered with those there are" grep -q 'review' "$tmp/err"
run compare --preset fork-storm --cpus 2 --threads 2 --text-copies 1 \
    --designs head --seconds 0.001 --repeats 1 --set line_hold=0,pv_chunk=7
claim "numbers of one's own go with those of --preset" equal "$status" 0
claim "and after them" \
    grep -q '^ *with pv_chunk=5000,line_hold=0,pv_chunk=7$' "$tmp/out"
claim "again with all of them" \
    grep -q -e '--set pv_chunk=5000,line_hold=0,pv_chunk=7' "$tmp/out"

# Without the other program.
mkdir "$tmp/alone"
cp "$pmapsim" "$tmp/alone/pmapsim"
run_command "$tmp/alone/pmapsim" compare --virtual laptop-8
claim "without pmapsim-virtual there are no virtual runs" equal "$status" 69
claim "which is told in one line" equal "$(wc -l <"$tmp/err")" 1
claim "with the place where it was looked for" \
    grep -q "^pmapsim: $tmp/alone: expected pmapsim-virtual there" "$tmp/err"

# What is printed and recorded.
# shellcheck disable=SC2086
run compare $small --json "$tmp/a.jsonl"
cp "$tmp/out" "$tmp/a.txt"
claim "compare --virtual succeeds" equal "$status" 0
for title in "modelled, clx-2s-104" "Lock waits of exec_exit, 6 threads" \
    "rw:pmap pv list" "Where the time of 6 threads on 6 CPUs goes" \
    "waiting for pmap pv list" "CPUs waiting over time" \
    "How far locks are handed on" "Time in cache misses" \
    "Hottest cache lines of head" "share a line" "bytes per GB" \
    "virtual time"; do
	claim "it prints $title" out_has "$title"
done
claim "tables but those with names of lines fit into 100 columns" sh -c \
    "grep -v 'pv_\\|vm_\\|----\\|([a-z ]*:' '$tmp/out' |
    awk 'length(\$0) > 100 { exit 1 }'"
claim "it says how fast the model was, where that is no result" \
    grep -q 'million accesses' "$tmp/err"
# shellcheck disable=SC2086
claim "records are valid and complete" \
    "$records" "$tmp/a.jsonl" head sparse/gen2+batch
claim "each seed is another run" \
    equal "$(hashes "$tmp/a.jsonl" | sort -u | wc -l)" 4

# The same options, the same bytes: again, one at a time, at other addresses.
# shellcheck disable=SC2086
{
	run compare $small --json "$tmp/b.jsonl" --jobs 1
	claim "one run at a time gives the same records" \
	    cmp "$tmp/a.jsonl" "$tmp/b.jsonl"
	claim "and the same tables" cmp "$tmp/a.txt" "$tmp/out"
	FILLER=$(printf '%04000d' 0)
	export FILLER
	run compare $small --json "$tmp/b.jsonl" --jobs 3
	unset FILLER
	claim "a larger environment changes nothing" \
	    cmp "$tmp/a.jsonl" "$tmp/b.jsonl"
	if setarch -R true 2>/dev/null; then
		run_command setarch -R "$pmapsim" compare $small \
		    --json "$tmp/b.jsonl"
		claim "fixed addresses change nothing" \
		    cmp "$tmp/a.jsonl" "$tmp/b.jsonl"
	else
		echo "skipped: addresses cannot be fixed here"
	fi
	run compare $small --json "$tmp/c.jsonl" --designs head
	claim "other designs beside it change nothing" \
	    equal "$(hashes "$tmp/a.jsonl" | head -2)" "$(hashes "$tmp/c.jsonl")"
	run compare $small --json "$tmp/c.jsonl" --set line_remote=300
	claim "another number changes the run" \
	    sh -c "! cmp -s '$tmp/a.jsonl' '$tmp/c.jsonl'"
	claim "and is on record" grep -q '"line_remote":300.0' "$tmp/c.jsonl"
	run compare $small --json - --designs head --cpus 2,4
	claim "a table for each number of CPUs" \
	    grep -q "Lock waits of exec_exit, 4 threads" "$tmp/err"
	claim "and records on standard output" grep -q '"cpus":4,' "$tmp/out"
	run compare $small --designs head --repeats 1 --cpus 2 --threads 6
	claim "more threads than CPUs take turns" out_has \
	    "Where the time of 6 threads on 2 CPUs goes"
}

# A preset as a file.
# shellcheck disable=SC2086
run compare $small --virtual "$bench/presets/clx-2s-104.preset" \
    --json "$tmp/c.jsonl"
claim "a preset is the same by its name and as a file" \
    cmp "$tmp/a.jsonl" "$tmp/c.jsonl"

if command -v gnuplot >/dev/null 2>&1; then
	# shellcheck disable=SC2086
	run compare $small --plot "$tmp/a.svg"
	claim "a drawing succeeds" equal "$status" 0
	claim "and has the designs" grep -q 'gen2' "$tmp/a.svg"
	claim "and both parts" grep -q 'CPUs waiting for' "$tmp/a.svg"
else
	echo "skipped: no gnuplot"
fi

# Cut short.
: >"$tmp/err"
# shellcheck disable=SC2086
"$pmapsim" compare $small --cpus 64 --seconds 5 --json "$tmp/d.jsonl" \
    >"$tmp/out" 2>"$tmp/err" </dev/null &
pid=$!
while ! grep -q 'at a time' "$tmp/err"; do
	kill -0 $pid 2>/dev/null || break
done
kill -TERM $pid
status=0
wait $pid || status=$?
claim "a signal ends it" equal "$status" 130
claim "with what it has" out_has "INTERRUPTED"
claim "on record" grep -q '"interrupted":true' "$tmp/d.jsonl"

claims_end
