#!/bin/sh
# What the program says, and how it ends: test_cli.sh PMAPSIM RECORDS MAPS
# PMAPSIM is the program, RECORDS checks its JSON lines, MAPS is the folder of
# bundled maps.  Prints each claim that does not hold; exits 1 if there is any.
set -u

pmapsim=$1
records=$2
maps=$3
# shellcheck source=tests/claims.sh
. "$(dirname "$0")/claims.sh"

# As little work as there can be: a small map, two threads, short runs.
small="--map $maps/vm-4cpu-3g-2n.map --threads 2 --seconds 0.002 --repeats 2"
small="$small --quick --text-pages 64 --anon-pages 64"

run()
{
	run_command "$pmapsim" "$@"
}

# Commands and help.
run
claim "no command is wrong use" equal "$status" 64
claim "and shows the commands" grep -q "^Commands:" "$tmp/err"
run --version
claim "--version succeeds" equal "$status" 0
claim "--version has three numbers" \
    grep -q '^pmapsim [0-9]*\.[0-9]*\.[0-9]*, commit ' "$tmp/out"
for flag in --help -h help; do
	run $flag
	claim "$flag succeeds" equal "$status" 0
	for command in compare micro locks inversion script explore calibrate \
	    memmap list help; do
		claim "$flag names $command" grep -q "^  $command " "$tmp/out"
	done
done
for command in compare micro locks inversion script explore calibrate validate \
    memmap list; do
	run $command --help
	claim "$command --help succeeds" equal "$status" 0
	claim "$command --help has examples" out_has "Examples:"
	cp "$tmp/out" "$tmp/help"
	run help $command
	claim "help $command is the same" cmp -s "$tmp/out" "$tmp/help"
	claim "help of $command fits into 90 columns" \
	    awk 'length($0) > 90 { exit 1 }' "$tmp/help"
done
run compare --help
for option in virtual cpus set jobs plot preset map threads designs workload \
    text-copies text-pages anon-pages shared-pct range-pages daemons superpages seconds repeats pin seed json \
    locks quick \
    check; do
	claim "compare --help has --$option" grep -q "^  --$option" "$tmp/out"
done
run micro --help
for option in map designs pages seconds repeats json; do
	claim "micro --help has --$option" grep -q "^  --$option" "$tmp/out"
done
text='no command "foo"; there are compare, micro, locks, inversion, script, explore,'
text="$text calibrate, validate, memmap, list and help"
fails 64 "$text" foo
fails 64 "$text" help foo
run locks --help
for option in preset backends threads pin cpus locks pick spacing inside \
    outside readers priority ops seconds repeats json; do
	claim "locks --help has --$option" grep -q "^  --$option" "$tmp/out"
done
run inversion --help
for option in backends chain hold hog repeats check json; do
	claim "inversion --help has --$option" \
	    grep -q "^  --$option" "$tmp/out"
done
fails 64 'help: expected at most one command' help list memmap
fails 64 'no option --foo before a command; see "pmapsim --help"' --foo

# Options.
fails 64 'compare: "x": expected options only' compare x
fails 64 'compare: no option --foo; see "pmapsim compare --help"' \
    compare --foo=1
fails 64 'compare: no option -t; see "pmapsim compare --help"' compare -t 1
fails 64 '--threads: expected a value, N[,N]...' compare --threads
fails 64 '--quick takes no value' compare --quick=1
for n in 0 -1 1025 abc 1x 0x1 99999999999999999999; do
	fails 64 "--threads: \"$n\": expected a number from 1 to 1024" \
	    compare --threads "$n"
done
fails 64 '--threads: "": expected numbers between commas' compare --threads ""
fails 64 '--threads: "1,,2": expected numbers between commas' \
    compare --threads 1,,2
fails 64 '--repeats: "0": expected a number from 1 to 1000' compare --repeats 0
fails 64 '--text-copies: "1025": expected a number from 1 to 1024' \
    compare --text-copies 1025
fails 64 '--shared-pct: "101": expected a number from 1 to 100' \
    compare --shared-pct 101
fails 64 '--superpages: "2": expected a number from 0 to 1' \
    compare --superpages 2
for s in 0 -1 1e3 inf nan 90000 1,5; do
	fails 64 "--seconds: \"$s\": expected seconds, from 0.001 to 86400" \
	    compare --seconds "$s"
done
fails 64 '--designs: "head,": expected designs between commas' \
    compare --designs head,
fails 64 '--designs: "sparse/none" excludes nobody: expected --threads 1' \
    compare --designs sparse/none --threads 2
run compare --designs nosuch
claim "an unknown design is wrong use" equal "$status" 64
claim "and is one line" equal "$(wc -l <"$tmp/err")" 1
run compare --designs sparse/nosuch
claim "an unknown lock is answered with the locks" \
    grep -q 'nosuch.*rwlock.*mtx8.*gen2' "$tmp/err"
run compare --designs nosuch/rwlock
claim "an unknown layout is answered with the layouts" \
    grep -q 'nosuch.*hashed.*ptrarray.*sparse.*segment' "$tmp/err"
run compare --workload nosuch
claim "an unknown workload is wrong use" equal "$status" 64
claim "and is answered with the workloads" \
    grep -q 'nosuch.*private.*exec_exit.*one_pmap.*pageout' "$tmp/err"
fails 64 \
    '--pin: "x": expected compact, scatter, core, smt-last or none' \
    compare --pin x
fails 64 'locks: "x": expected options only' locks x
fails 64 '--preset: "x": expected bars' locks --preset x
fails 64 '--backends: "gen2,": expected locks between commas' \
    locks --backends gen2,
run locks --backends nosuch
claim "an unknown lock is wrong use" equal "$status" 64
claim "and is answered with the locks" \
    grep -q 'nosuch.*rwlock.*pthread_pi.*mtx8.*gen2.*none' "$tmp/err"
fails 64 '--threads: "0": expected a number from 1 to 1024' locks --threads 0
fails 64 '--threads: "1,": expected values between commas' locks --threads 1,
fails 64 '--pin: "x": expected compact, scatter, core, smt-last or none' \
    locks --pin compact,x
fails 64 '--pick: "x": expected random or fixed' locks --pick x
fails 64 '--spacing: "x": expected packed or line' locks --spacing x
fails 64 '--priority: "x": expected none, sim or fifo' locks --priority x
fails 64 '--repeats: "4": expected a number from 5 to 1000' locks --repeats 4
fails 64 '--readers: "101": expected a number from 0 to 100' \
    locks --readers 101
text='expected short, medium or nanoseconds up to 1000000000'
fails 64 "--inside: \"x\": $text" locks --inside short,x
text='expected nanoseconds up to 1000000000, or a range of them'
for range in x 1- -1 5-1 1-2-3 1000000001; do
	fails 64 "--outside: \"$range\": $text" locks --outside=$range
done
fails 69 '--cpus: 1024 are more than this process may use' locks --cpus 1024
# Also if it did run, this would end: one thread, which shares its CPU in turns.
if chrt -r 1 true 2>/dev/null; then
	run_command chrt -r 1 "$pmapsim" locks --cpus 1 --threads 1 \
	    --backends gen2 --inside short --seconds 0.001
	claim "as many real-time threads as CPUs is wrong use" equal "$status" 64
	claim "and is told" \
	    grep -q -e '--threads: 1 on 1 CPUs might never end' "$tmp/err"
else
	echo "skipped: no real-time class is permitted here"
fi
fails 64 'inversion: "x": expected options only' inversion x
fails 64 '--chain: "0": expected a number from 1 to 8' inversion --chain 1,0
fails 64 '--chain: "1,": expected up to 8 numbers between commas' \
    inversion --chain 1,
fails 64 '--backends: "gen1": expected a lock whose waiters sleep' \
    inversion --backends mtx,gen1
fails 64 '--backends: "mtx,": expected locks between commas' \
    inversion --backends mtx,
run inversion --backends nosuch
claim "an unknown lock is wrong use of inversion" equal "$status" 64
fails 64 'micro: "x": expected options only' micro x
fails 64 '--pages: "0": expected a number from 1 to 262144' micro --pages 0
text='list: "x": expected layouts, locks, workloads, designs, maps or presets'
fails 64 "$text" list x
fails 64 'list: expected at most one topic' list locks maps
fails 64 \
    'memmap: expected one file or name; "pmapsim list maps" has the names' \
    memmap

# Inputs that are not there, or are not what they should be.
fails 66 "$tmp/nosuch: No such file or directory" memmap "$tmp/nosuch"
fails 66 "$tmp: Is a directory" memmap "$tmp"
run compare --map nosuch
claim "an unknown map is no input" equal "$status" 66
claim "and is answered with the names" \
    grep -q 'nosuch: .*vm-2cpu-256m.*xeon-2s-48t-256g' "$tmp/err"
printf '# a map\n0-100 foo 0\n' >"$tmp/bad.map"
run memmap "$tmp/bad.map"
claim "a malformed map is bad data" equal "$status" 65
claim "and is named with file and line" \
    grep -q "^pmapsim: $tmp/bad.map:2: expected " "$tmp/err"
: >"$tmp/empty.map"
run memmap "$tmp/empty.map"
claim "an empty map is bad data" equal "$status" 65
status=0
"$pmapsim" memmap - <"$tmp/bad.map" >"$tmp/out" 2>"$tmp/err" || status=$?
claim "a map is read from standard input" \
    grep -q '^pmapsim: (stdin):2: expected ' "$tmp/err"
fails 73 "$tmp/nosuch/x: No such file or directory" \
    compare --json "$tmp/nosuch/x"

# Output that cannot be written.
text='pmapsim: (stdout): expected to write the output, and could not'
if [ -w /dev/full ]; then
	status=0
	"$pmapsim" list locks >/dev/full 2>"$tmp/err" || status=$?
	claim "a full standard output is an error" equal "$status" 74
	claim "and says so" equal "$(cat "$tmp/err")" "$text"
	fails 74 '/dev/full: a record could not be written' \
	    compare --json /dev/full
fi
status=0
"$pmapsim" list locks >&- 2>"$tmp/err" || status=$?
claim "a closed standard output is an error" equal "$status" 74
claim "and says so" equal "$(cat "$tmp/err")" "$text"

# list and memmap.
run list
claim "list succeeds" equal "$status" 0
for topic in layouts locks workloads designs maps presets; do
	run list $topic
	claim "list $topic succeeds" equal "$status" 0
	claim "list $topic says something" test -s "$tmp/out"
done
run list locks
claim "gen2 makes a header of 32 bytes" \
    grep -Eq '^gen2 +0 +32  ' "$tmp/out"
claim "rwlock makes one of 64" grep -Eq '^rwlock +32 +64  ' "$tmp/out"
# ThreadSanitizer leaves no room for the address space of terabytes, and has
# nothing to find in what one thread counts: small maps are enough for it.
case $("$pmapsim" --version) in
*-fsanitize=thread*)	tsan=true ;;
*)			tsan=false ;;
esac
for map in "$maps"/*.map; do
	name=$(basename "$map" .map)
	run list maps
	claim "list maps has $name" out_has "$name"
	if $tsan && [ "${name#vm-}" = "$name" ]; then
		continue
	fi
	# By name and from any folder.
	status=0
	(cd / && "$pmapsim" memmap "$name") >"$tmp/out" 2>"$tmp/err" ||
	    status=$?
	claim "memmap $name succeeds" equal "$status" 0
	claim "memmap $name shows segments" out_has "segment"
	claim "memmap $name shows sparse/gen2" out_has "sparse/gen2"
	claim "memmap $name: bytes printed are bytes allocated" \
	    sh -c "! grep -q ' NO\$' '$tmp/out'"
done
run memmap vm-2cpu-256m
claim "segments 0 and 1 share a superpage" \
    out_has "superpage 0 is shared by segments 0 and 1"

# compare.
# shellcheck disable=SC2086 # a list of words
run compare $small --locks --json "$tmp/runs.jsonl"
claim "compare succeeds" equal "$status" 0
for title in "Lock waits of exec_exit" "rw:pmap pv list" "cnt_lock" \
    "Work and waits" "bytes per GB" "remove_pages" "first touch"; do
	claim "compare prints $title" out_has "$title"
done
claim "tables fit into 100 columns" sh -c \
    "grep -v 'cnt_lock\\|([a-z ]*:' '$tmp/out' |
    awk 'length(\$0) > 100 { exit 1 }'"
claim "compare has no progress where there is no terminal" \
    sh -c "! grep -q '%\\]' '$tmp/err'"
claim "records are valid and complete" "$records" "$tmp/runs.jsonl" \
    head superpage superpage+batch sparse/mtx8+batch sparse/gen2+batch
# The command that the header prints leads to the same configuration, whatever
# the map is called.
cp "$maps/vm-4cpu-3g-2n.map" "$tmp/a map"
# shellcheck disable=SC2086
run compare $small --map "$tmp/a map" --repeats 1 --designs sparse/gen2,head \
    --json "$tmp/first.jsonl"
again=$(awk '
	/^again/ { on = 1; sub(/^again/, "") }
	on {
		more = sub(/ \\$/, "")
		sub(/^ +/, "")
		printf("%s ", $0)
		if (!more)
			exit
	}' "$tmp/out")
claim "the header has the command" test -n "$again"
status=0
(
	pmapsim()
	{
		"$pmapsim" "$@"
	}
	eval "$again --json -"
) >"$tmp/second.jsonl" 2>"$tmp/err" </dev/null || status=$?
claim "which runs" equal "$status" 0
claim "records on standard output are nothing else" \
    "$records" "$tmp/second.jsonl" sparse/gen2 head
claim "and the tables go to standard error" \
    grep -q "Lock waits of exec_exit" "$tmp/err"
for key in designs threads repeats seed warmup_ns measure_ns params workload \
    name pin; do
	for file in first second; do
		sed -n "1s/.*\(\"$key\":[^]}]*\).*/\1/p" "$tmp/$file.jsonl" |
		    sed 's/,"[a-z_]*":.*//' >"$tmp/$file"
	done
	claim "with the same $key" cmp -s "$tmp/first" "$tmp/second"
	claim "which is there" test -s "$tmp/first"
done

for workload in private one_pmap pageout; do
	# shellcheck disable=SC2086
	run compare $small --workload $workload --repeats 1 \
	    --designs sparse/gen2+batch,hashed/rwlock+locks=16+pad
	claim "compare runs $workload" equal "$status" 0
done
# 2 MB mappings, and designs that make none.
# shellcheck disable=SC2086
run compare $small --workload private --anon-pages 1024 --repeats 1 \
    --superpages 1 --json "$tmp/runs.jsonl" \
    --designs superpage,superpage+reserv=off,superpage+superpages=off
claim "compare runs with superpages" equal "$status" 0
claim "and counts what became of them" \
    grep -Eq '^2 MB mappings made, 1/s +[1-9][^-]* +0 +0$' "$tmp/out"
for off in reserv=off superpages=off; do
	claim "and says what $off does" \
	    grep -q "^NOTE .*superpage+$off: $off, " "$tmp/out"
done
claim "and has them on record" "$records" "$tmp/runs.jsonl" \
    superpage superpage+reserv=off superpage+superpages=off
claim "which are not 0" grep -q '"pde_promotions":[1-9]' "$tmp/runs.jsonl"
# shellcheck disable=SC2086
run compare $small --workload private --anon-pages 1024 --repeats 1 \
    --superpages 0 --designs head,superpage+superpages=off \
    --json "$tmp/runs.jsonl"
claim "compare runs with --superpages 0" equal "$status" 0
claim "and has nothing to say of them" \
    sh -c "! grep -Eq '^NOTE|^2 MB mappings' '$tmp/out'"
claim "on record, too" \
    sh -c "! grep -q '\"pde_[a-z]*\":[1-9]' '$tmp/runs.jsonl'"
# More designs than fit beside each other, on one thread.
# shellcheck disable=SC2086
run compare $small --threads 1 --repeats 1 \
    --designs head,head,sparse/none,segment/gen1,ptrarray/mtx8,sparse/rwlock
claim "compare breaks wide tables" equal "$status" 0
claim "and prints them in two" \
    equal "$(grep -c "^rw:pmap pv list" "$tmp/out")" 2

# A machine that is too small makes runs void, not slow.
run compare --map "$maps/vm-2cpu-256m.map" --threads 2 --quick --repeats 1 \
    --seconds 0.01 --designs head --anon-pages 70000
claim "out of simulated memory is status 1" equal "$status" 1
claim "and names the run" grep -q '^VOID: head, .*: .*memory' "$tmp/out"

# Interrupted, once the runs have begun.
rm -f "$tmp/runs.jsonl"
# shellcheck disable=SC2086
"$pmapsim" compare $small --seconds 60 --json "$tmp/runs.jsonl" \
    >"$tmp/out" 2>"$tmp/err" &
pid=$!
while ! grep -q '"type":"headers".*gen2' "$tmp/runs.jsonl" 2>/dev/null; do
	kill -0 $pid 2>/dev/null || break
	sleep 0.1
done
kill -TERM $pid
status=0
wait $pid || status=$?
claim "an interrupted compare says so by its status" equal "$status" 130
claim "and in its output" out_has "INTERRUPTED"
claim "and prints its tables" out_has "bytes per GB"

# locks, with a window of time.
run locks --backends rwlock,gen2 --seconds 0.001 --threads 1,3 --inside short \
    --locks 4 --readers 20 --priority sim --json "$tmp/runs.jsonl"
claim "locks succeeds" equal "$status" 0
for title in "time x" "Mops/s" "longest" "wait us" "hold us" "pause" "line" \
    "steal" "priority  "; do
	claim "locks prints $title" out_has "$title"
done
for lock in pthread_mutex rwlock gen2 none; do
	claim "locks has $lock" grep -q "^$lock " "$tmp/out"
	# 5 repeats of a pair, of 1 thread, and, where it excludes, of 3.
	n=15
	[ $lock != none ] || n=10
	claim "with $n records" equal $n \
	    "$(grep -c "\"type\":\"locks\".*\"lock\":\"$lock\"" "$tmp/runs.jsonl")"
done
claim "tables of locks fit into 100 columns" sh -c \
    "tail -n +9 '$tmp/out' | grep -v ' thread' | awk 'length(\$0) > 100 { exit 1 }'"
claim "locks ends well" \
    sh -c "tail -n 1 '$tmp/runs.jsonl' | grep -q '\"type\":\"end\",\"status\":0'"
# All there are, with a number of operations.  Those of other libraries are not
# everywhere.
run locks --backends nosuch
there=$(sed 's/.*expected one of//; s/,//g' "$tmp/err")
all=mtx8
for lock in $there; do
	case $lock in
	mtx8|none)	;;
	*)		all=$all,$lock ;;
	esac
done
run locks --backends "$all" --threads 2 --ops 100 --inside short,500 --pick fixed \
    --locks 2 --spacing line --outside 0-50 --pin none --cpus 1 --json -
claim "locks does a fixed number of operations" equal "$status" 0
claim "and records what each thread took" out_has '"thread_ns":['
claim "and prints its tables to standard error" grep -q "Mops/s" "$tmp/err"
for lock in rwlock pthread_mutex pthread_pi mtx8 gen2 gen1 $there; do
	claim "locks with $lock" out_has "\"lock\":\"$lock\""
done

# Two CPUs are not everywhere, and the bars are not met in a test.  Dozens of
# loads take ThreadSanitizer long, which has seen their kinds above.
$tsan || run locks --preset bars --backends gen2 --seconds 0.001 --repeats 5 \
    --json "$tmp/runs.jsonl"
if $tsan; then
	:
elif [ $status -eq 69 ]; then
	claim "locks --preset bars says what it lacks" \
	    grep -q '^pmapsim: --cpus: 2 are more' "$tmp/err"
else
	claim "locks --preset bars is met or missed" [ $status -le 1 ]
	claim "and says which" grep -Eq '^ +2 .*(ok|MISS)$' "$tmp/out"
	claim "and what it lacks" grep -Eq 'no such lock .* n/a$' "$tmp/out"
	claim "and has nothing void" \
	    sh -c "! grep -q '\"void\":\"' '$tmp/runs.jsonl'"
fi

# What needs a privilege says so where it has none.
run locks --backends gen2 --threads 2 --ops 100 --priority fifo
claim "locks with SCHED_FIFO ends well or says why not" sh -c \
    "[ $status -eq 0 ] ||
    { [ $status -eq 69 ] && grep -q 'SCHED_FIFO is not permitted' '$tmp/err'; }"
run inversion --backends mtx,mtx8,gen2,rwlock --chain 1,2,3 --repeats 1 \
    --hold 0.001 --hog 0.004 --check --json "$tmp/runs.jsonl"
if [ $status -eq 69 ]; then
	claim "inversion says why not" \
	    grep -q '^pmapsim: inversion: SCHED_FIFO is not' "$tmp/err"
else
	claim "inversion is met or missed" [ $status -le 1 ]
	for lock in mtx mtx8 gen2 rwlock pthread_pi; do
		claim "inversion has $lock" grep -q "^$lock " "$tmp/out"
	done
	claim "tables of inversion fit into 100 columns" sh -c \
	    "tail -n +8 '$tmp/out' | awk 'length(\$0) > 100 { exit 1 }'"
	claim "no wait of inversion is void" \
	    equal 15 "$(grep -c '"wait_ns":[0-9]' "$tmp/runs.jsonl")"
	claim "inversion says what is missed" grep -q 'at most 1.05' "$tmp/out"
fi

# micro.
run micro --map "$maps/vm-2cpu-256m.map" --designs sparse/gen2,sparse/none \
    --seconds 0.001 --repeats 1 --pages 64 --json "$tmp/runs.jsonl"
claim "micro succeeds" equal "$status" 0
claim "micro prints remove_pages" out_has "remove_pages"
claim "micro writes records" grep -q '"remove_pages_ns":' "$tmp/runs.jsonl"
claim "micro measures superpages" grep -q '"promote_ns":[ 0-9]' "$tmp/runs.jsonl"
run micro --map "$maps/vm-2cpu-256m.map" --designs superpage+superpages=off \
    --seconds 0.001 --repeats 1 --pages 64 --json "$tmp/runs.jsonl"
claim "and without them, what needs none" grep -Eq \
    '"enter_object_ns":[0-9].*"remove_ns":[0-9].*"promote_ns":null' \
    "$tmp/runs.jsonl"
run micro --map "$maps/vm-2cpu-256m.map" --designs head --pages 262144
claim "micro without memory is an error" equal "$status" 71

claims_end
