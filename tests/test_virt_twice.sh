#!/bin/sh
# Usage: test_virt_twice.sh FILE PROGRAM [ARG...]
#
# Run PROGRAM three times and compare, byte by byte, what it writes to standard
# output or, if FILE is not "-", to that file: as it is; with a larger environment
# and another working directory, which moves stacks; and with addresses that the
# host does not randomise, where it can be asked for that.
set -eu

file=$1
shift

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

# run <name> <command>...
run()
{
	name=$1
	shift
	mkdir -p "$tmp/$name.d"
	if ! (cd "$tmp/$name.d" && "$@") >"$tmp/$name.out" 2>"$tmp/$name.err"; then
		echo "test_virt_twice.sh: $name: fails:"
		cat "$tmp/$name.out" "$tmp/$name.err"
		exit 1
	fi
	if [ "$file" = - ]; then
		mv "$tmp/$name.out" "$tmp/$name"
	else
		mv "$tmp/$name.d/$file" "$tmp/$name"
	fi
	[ -s "$tmp/$name" ] || {
		echo "test_virt_twice.sh: $name: writes nothing"
		exit 1
	}
}

run first "$@"
run second env PMAPSIM_TEST_PADDING="$(printf '%05000d' 0)" "$@"
runs=second
if setarch -R true 2>/dev/null; then
	run third setarch -R "$@"
	runs="second third"
fi

for name in $runs; do
	if ! cmp "$tmp/first" "$tmp/$name"; then
		diff "$tmp/first" "$tmp/$name" | head -20
		exit 1
	fi
done
echo "the same $(wc -c <"$tmp/first") bytes: first $runs"
