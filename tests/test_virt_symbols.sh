#!/bin/sh
# Usage: test_virt_symbols.sh NM LIBRARY DIR OBJECT...
#
# LIBRARY is the virtual machine's, OBJECTs are what was compiled with
# -fsanitize=thread, those of the library below DIR.  What they call is defined in
# LIBRARY; what is not below DIR is not instrumented; and all that gcc from 12 and
# clang from 14 on emit is there, also what our sources do not need.
set -eu

nm=$1
library=$2
model=$3
shift 3

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
error=0

wrong()
{
	echo "test_virt_symbols.sh: $1:"
	sed 's/^/	/' "$2"
	error=1
}

# The entry points that are named in a list of symbols.
calls()
{
	grep -oE '\b__tsan_[a-z0-9_]+' | LC_ALL=C sort -u
}

"$nm" -P -g "$library" | awk '$2 == "T" { print $1 }' | calls >"$tmp/defined"

# 1. What instrumented objects call.
"$nm" -P -u "$@" | calls >"$tmp/called"
if [ "$(wc -l <"$tmp/called")" -lt 30 ]; then
	wrong "these objects are hardly instrumented" "$tmp/called"
fi
LC_ALL=C comm -23 "$tmp/called" "$tmp/defined" >"$tmp/missing"
[ ! -s "$tmp/missing" ] || wrong "called and not defined" "$tmp/missing"

# 2. All that there is.
{
	for n in 1 2 4 8 16; do
		for op in read write; do
			echo "__tsan_$op$n"
			echo "__tsan_unaligned_$op$n"
			echo "__tsan_volatile_$op$n"
			echo "__tsan_unaligned_volatile_$op$n"
			echo "__tsan_$op${n}_pc"
		done
		echo "__tsan_read_write$n"
		echo "__tsan_unaligned_read_write$n"
	done
	for bits in 8 16 32 64 128; do
		for op in load store exchange fetch_add fetch_sub fetch_and \
		    fetch_or fetch_xor fetch_nand compare_exchange_strong \
		    compare_exchange_weak compare_exchange_val; do
			echo "__tsan_atomic${bits}_$op"
		done
	done
	for name in read_range write_range vptr_update vptr_read func_entry \
	    func_exit init atomic_thread_fence atomic_signal_fence memcpy \
	    memmove memset acquire release ignore_thread_begin \
	    ignore_thread_end; do
		echo "__tsan_$name"
	done
} | LC_ALL=C sort -u >"$tmp/all"
LC_ALL=C comm -23 "$tmp/all" "$tmp/defined" >"$tmp/missing"
[ ! -s "$tmp/missing" ] || wrong "emitted and not defined" "$tmp/missing"

# 3. What is not modelled, all members but those of the model, may call an entry
# point by its name, but has none that only a compiler calls.
for object in "$@"; do
	case $object in
	"$model"/*) basename "$object" ;;
	esac
done | LC_ALL=C sort >"$tmp/model"
[ -s "$tmp/model" ] || wrong "no objects below it" "$tmp/model"
"$nm" -A -P -u "$library" |
    sed -n 's/^[^[]*\[\([^]]*\)\]: \(__tsan_[^ ]*\).*/\1 \2/p' |
    grep -E ' __tsan_(init|func_|read|write|unaligned)' |
    LC_ALL=C sort >"$tmp/members"
[ -s "$tmp/members" ] || wrong "no member is instrumented" "$tmp/members"
LC_ALL=C join -v 1 "$tmp/members" "$tmp/model" >"$tmp/plain"
[ ! -s "$tmp/plain" ] || wrong "instrumented, and should not be" "$tmp/plain"

exit $error
