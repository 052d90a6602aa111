#!/bin/sh
# What script prints, compares and refuses: test_script_cli.sh PMAPSIM
# Prints each claim that does not hold; exits 1 if there is any.
set -u

pmapsim=$1
vectors=$(dirname "$0")/vectors
# shellcheck source=tests/claims.sh
. "$(dirname "$0")/claims.sh"

run()
{
	run_command "$pmapsim" script "$@"
}

run --help
for option in pmap design check verify expect; do
	claim "script --help has --$option" grep -q "^  --$option" "$tmp/out"
done
run "$vectors/public/h02-enter-replace.txt"
claim "script succeeds" equal "$status" 0
claim "script prints what is expected" \
    cmp -s "$tmp/out" "$vectors/public/h02-enter-replace.expect"
run --verify --check --design segment/gen2 \
    "$vectors/public/h01-enter-basic.txt" "$vectors/public/h07-promote.txt"
claim "script --verify succeeds" equal "$status" 0
claim "script --verify has a line for each" \
    equal 2 "$(grep -c ': as in ' "$tmp/out")"
for version in 12.1 14; do
	run --verify --pmap $version "$vectors/versioned/v00-hand.txt"
	claim "script --verify knows $version" equal "$status" 0
done
run --design hashed/mtx8+pmap=12.1 --verify \
    "$vectors/versioned/v00-hand.txt"
claim "the design can say the version" equal "$status" 0
run --design hashed/mtx8+pmap=12.1 --pmap 14 --verify \
    "$vectors/versioned/v00-hand.txt"
claim "but --pmap wins" equal "$status" 0
claim "and decides what is compared" out_has "v00-hand.expect-14"
run --design hashed/mtx8+superpages=off --verify \
    "$vectors/public/h07-promote.txt"
claim "superpages=off changes what is printed" equal "$status" 1
run --design hashed/mtx8+reserv=off+tlb=assoc+pcid=off+di=mutex \
    --verify "$vectors/public/h07-promote.txt"
claim "other options do not" equal "$status" 0
run --pmap 12.1 --expect "$vectors/versioned/v00-hand.expect-14" \
    "$vectors/versioned/v00-hand.txt"
claim "script --expect sees a difference" equal "$status" 1
claim "and shows the line that was expected" \
    out_has "  expected: 8: page 0x400000 -> pv4k=0 pv2m=1 ref=0 dirty=0"
claim "and the one that was found" \
    out_has "  found:    8: page 0x400000 -> pv4k=0 pv2m=1 ref=0 dirty=1"
printf 'machine seg=0x1000-0x2000\npmap a\n\nenter a 5 0x1000 prot=r\n' \
    >"$tmp/bad.txt"
fails 65 "$tmp/bad.txt:4: address 5: expected a multiple of 0x1000" \
    "$tmp/bad.txt"
claim "script shows where it ended" equal "$(tail -n 1 "$tmp/out")" \
    "4: enter a 5 0x1000 prot=r -> error: address 5: expected a multiple of 0x1000"
printf 'machine seg=0x1000-0x2000\npmap a\nrelease b' >"$tmp/bad.txt"
fails 65 "$tmp/bad.txt:3: no map b, expected one made by pmap" \
    "$tmp/bad.txt"
printf 'machine seg=0x1000-0x2000\0\n' >"$tmp/bad.txt"
fails 65 "$tmp/bad.txt: expected text, found a byte 0" "$tmp/bad.txt"
fails 66 "$tmp/nosuch: No such file or directory" "$tmp/nosuch"
printf 'machine seg=0x1000-0x2000\n' >"$tmp/alone.txt"
fails 66 \
    "$tmp/alone.expect or $tmp/alone.expect-main: No such file or directory" \
    --pmap main --verify "$tmp/alone.txt"
printf 'machine seg=0x1000-0x2000:15\nmachine seg=0x1000-0x2000:16\n' \
    >"$tmp/bad.txt"
text='expected DOMAIN from 0 to 15'
fails 65 "$tmp/bad.txt:2: seg=0x1000-0x2000:16: $text" "$tmp/bad.txt"
fails 64 'script: expected files, or "-" for standard input'
fails 64 'script: --expect: expected one script, found 2' \
    --expect x a b
fails 64 '--pmap: "13": expected 12.1, 12.3, 14 or main' --pmap 13 -
"$pmapsim" script - >"$tmp/out" 2>"$tmp/err" <<'END'
machine  seg=4096-0x9f000 # decimal, too
pmap a
touch a 0 r
END
claim "script reads standard input" equal "$(tail -n 1 "$tmp/out")" \
    "3: touch a 0 r -> fault notpresent"

claims_end
