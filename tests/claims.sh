# shellcheck shell=sh
# Claims about what programs do, for test_*.sh.  To be sourced.
#
# A test is a script that runs a program again and again, and after each run
# claims what is so:
#
#	set -u
#	pmapsim=$1
#	. "$(dirname "$0")/claims.sh"
#
#	run()				# if "fails" is to be used
#	{
#		run_command "$pmapsim" memmap "$@"
#	}
#
#	run vm-2cpu-256m
#	claim "a map by its name succeeds" equal "$status" 0
#	claim "and shows segments" out_has "segment"
#	fails 64 'memmap: expected one file or name' a b
#
#	claims_end
#
# A claim that does not hold is printed, with what the last run left, and the
# test goes on: one run tells all that is wrong.  claims_end is the last line: it
# says how many hold, and its status, which is then the script's, is 1 if one does
# not or if there was none.  A script that ends in front of it fails.
#
# What a test may use: $tmp, a folder of its own that is gone afterwards; and of
# the last run $status, $tmp/out and $tmp/err.  The names claims_* are this file's.

claims_name=$(basename "$0" .sh)
claims_made=0
claims_failed=0
claims_ended=false
status=0

# claims_exit <status>: of the shell, which keeps it unless this one exits.
claims_exit()
{
	rm -rf "$tmp"
	if ! $claims_ended; then
		echo "$claims_name: ended early, with status $1"
		[ "$1" -ne 0 ] || exit 1
	fi
}

tmp=$(mktemp -d) || exit
trap 'claims_exit $?' EXIT
trap 'exit 130' INT TERM
: >"$tmp/out"
: >"$tmp/err"

# run_command <command>...: leaves status, out and err.
run_command()
{
	status=0
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
}

# claim <what> <command>...: the command succeeds.
claim()
{
	claims_what=$1
	shift
	claims_made=$((claims_made + 1))
	"$@" >/dev/null 2>&1 && return
	claims_failed=$((claims_failed + 1))
	echo "$claims_name: does not hold: $claims_what"
	echo "  status $status; standard error, and the end of standard output:"
	sed 's/^/    /' "$tmp/err"
	tail -n 20 "$tmp/out" | sed 's/^/    /'
}

# fails <status> <line> <argument>...: run so, the program ends so and says one
# line, exactly.
fails()
{
	claims_want=$1
	claims_line="pmapsim: $2"
	shift 2
	run "$@"
	claims_made=$((claims_made + 1))
	if [ "$status" -ne "$claims_want" ] ||
	    [ "$(cat "$tmp/err")" != "$claims_line" ]; then
		claims_failed=$((claims_failed + 1))
		echo "$claims_name: does not hold: run $*"
		echo "  expected $claims_want: $claims_line"
		echo "  found $status: $(cat "$tmp/err")"
	fi
}

equal()
{
	[ "$1" = "$2" ]
}

# out_has <text>, out_matches <basic regular expression>: in a line of the output.
out_has()
{
	grep -qF -e "$1" "$tmp/out"
}

out_matches()
{
	grep -q -e "$1" "$tmp/out"
}

claims_end()
{
	claims_ended=true
	echo "$claims_name: $claims_made claims, $claims_failed do not hold"
	[ "$claims_made" -gt 0 ] && [ "$claims_failed" -eq 0 ]
}
