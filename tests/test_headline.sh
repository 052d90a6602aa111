#!/bin/sh
# bench/headline: test_headline.sh BENCH DIR
# BENCH is bench/headline, DIR the folder of the program.  Prints each claim that
# does not hold; exits 1 if there is any.
set -u

bench=$1
dir=$2
# shellcheck source=tests/claims.sh
. "$(dirname "$0")/claims.sh"

run()
{
	run_command "$bench" "$@"
}

# A program that says what is to be found: the wait of a design is $WAIT_design,
# in ns of 1000, a tenth more for each seed; it is called as the real one is.
mkdir "$tmp/told"
cat >"$tmp/told/pmapsim" <<'END'
#!/bin/sh
seed=1
while [ $# -gt 0 ]; do
	case $1 in
	--json)		json=$2 ;;
	--designs)	design=$2 ;;
	--seed)		seed=$2 ;;
	esac
	shift
done
case $design in
head*)		wait=${WAIT_head} ;;
*batch*)	wait=${WAIT_batch} ;;
*)		wait=${WAIT_superpage} ;;
esac
wait=$((wait + wait * (seed - 1) / 10))
[ "$design" != "${VOID-none}" ] && counts=true || counts=false
cat >"$json" <<EOT
{"type": "header", "map": {"usable_bytes": 205751156736}}
{"type": "headers", "design": "$design", "total_bytes": 1916}
{"type": "run", "design": "$design", "counts": $counts, "elapsed_ns": 1000, "ops_per_s": 2000000.0, "jain": 0.5, "locks": [{"name": "sleep mutex:pmap pv chunk list", "wait_ns": 7, "count": 3, "contested": 1}, {"name": "rw:pmap pv list", "wait_ns": $wait, "hold_max_ns": 9, "count": 1000, "contested": 5}]}
EOT
printf 'pmapsim\nruns\n'
END
chmod +x "$tmp/told/pmapsim"
export WAIT_head=1000 WAIT_superpage=100 WAIT_batch=50

run --dir "$tmp/told" --jobs 2 --seeds 3
claim "it succeeds" [ $status -eq 0 ]
claim "head waits as told" \
    grep -Eq '^head +2\.731 +1\.100 +1\.000 - +1\.200 ' "$tmp/out"
claim "superpage is a tenth" \
    grep -Eq '^superpage +0\.249 +0\.110 .* 10\.00 +10\.96 ' "$tmp/out"
claim "with batches it is half of that" \
    grep -Eq '^superpage\+batch +0\.171 .* 20\.00 +15\.93 ' "$tmp/out"
claim "10 is in its band" grep -q '^superpage: 10.00 is in the band' "$tmp/out"
claim "chunk lists are not pv lists" grep -Eq '^head .* 0\.007$' "$tmp/out"

WAIT_superpage=200 run --dir "$tmp/told" --seeds 1
claim "5 is out of its band" \
    grep -q '^superpage: 5.00 is OUT of the band' "$tmp/out"

run --dir "$tmp/told" --seeds 1 --keep "$tmp/kept" sensitivity
claim "sensitivity succeeds" [ $status -eq 0 ]
claim "each number of copies has a row" \
    [ "$(grep -c '^text copies' "$tmp/out")" -eq 7 ]
claim "records are kept" [ -s "$tmp/kept/1.json" ]

run --dir "$tmp/told" --seeds 1 answers
claim "answers succeed" [ $status -eq 0 ]
for cpus in 104 384; do
	claim "there are answers for $cpus CPUs" \
	    grep -q "^Designs on $cpus CPUs" "$tmp/out"
done
claim "a design has its figures" grep -Eq \
    '^sparse/gen2\+batch\+chunks=domain +0\.0500 +0\.0070 +5000 +2\.00 +0\.500 +10$' \
    "$tmp/out"
claim "there are 28 designs for each" \
    [ "$(grep -Ec '^(hashed|sparse)/' "$tmp/out")" -eq 56 ]

VOID=superpage run --dir "$tmp/told" --seeds 1
claim "a run that does not count is no success" [ $status -eq 1 ]
claim "and it says so" grep -q '1 of 3 runs do not count' "$tmp/err"

run --foo
claim "a wrong option is wrong use" [ $status -eq 64 ]
run --seeds 0
claim "a wrong number is wrong use" [ $status -eq 64 ]
run --dir "$tmp"
claim "what is not built is missing" [ $status -eq 69 ]

# The program takes what it is given.
run --dir "$dir" --seconds 0.001 --seeds 1
claim "the program runs" [ $status -eq 0 ]
claim "CPUs wait under head" grep -Eq '^head +2\.731 +[0-9.]*[1-9]' "$tmp/out"

claims_end
