/* SPDX-License-Identifier: BSD-2-Clause */
#include <sys/types.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "phys_util.h"

#define COUNTOF(a) (sizeof(a) / sizeof((a)[0]))

static struct memmap *
parse(const char *text)
{
	struct memmap_error me;
	struct memmap *mm;

	if (memmap_parse("text", text, strlen(text), &mm, &me) != 0)
		fail_msg("line %u: %s", me.me_line, me.me_text);
	return (mm);
}

static void
assert_range(const struct memmap *mm, size_t i, vm_paddr_t start,
    vm_paddr_t end, enum memmap_type type, int domain)
{
	assert_true(i < mm->mm_nranges);
	assert_int_equal(mm->mm_ranges[i].mr_start, start);
	assert_int_equal(mm->mm_ranges[i].mr_end, end);
	assert_int_equal(mm->mm_ranges[i].mr_type, type);
	assert_int_equal(mm->mm_ranges[i].mr_domain, domain);
}

static void
map_lines_are_read_and_sorted(void **state)
{
	struct memmap *mm;

	(void)state;
	mm = parse("#   A machine, 4 GiB\n# more\n\n"
		   "100000-200000 usable 1\r\n"
		   "\t 0x0-0x9fc00\tusable\t0  \n"
		   "9fc00-100000 reserved 0\n"
		   "200000-300000 acpi 0\n300000-400000 nvs 1\n"
		   "400000-500000 unusable 0\n500000-600000 other 0");
	assert_string_equal(mm->mm_name, "text");
	assert_string_equal(mm->mm_title, "A machine, 4 GiB");
	assert_int_equal(mm->mm_ndomains, 2);
	assert_int_equal(mm->mm_naffinity, 0);
	assert_int_equal(mm->mm_nranges, 7);
	assert_range(mm, 0, 0, 0x9fc00, MEMMAP_USABLE, 0);
	assert_range(mm, 1, 0x9fc00, 0x100000, MEMMAP_RESERVED, 0);
	assert_range(mm, 2, 0x100000, 0x200000, MEMMAP_USABLE, 1);
	assert_range(mm, 3, 0x200000, 0x300000, MEMMAP_ACPI, 0);
	assert_range(mm, 4, 0x300000, 0x400000, MEMMAP_NVS, 1);
	assert_range(mm, 5, 0x400000, 0x500000, MEMMAP_UNUSABLE, 0);
	assert_range(mm, 6, 0x500000, 0x600000, MEMMAP_OTHER, 0);
	assert_int_equal(memmap_usable_bytes(mm, 0), 0x9f000);
	assert_int_equal(memmap_usable_bytes(mm, 1), 0x100000);
	assert_int_equal(memmap_usable_bytes(mm, -1), 0x19f000);
	memmap_free(mm);
	memmap_free(NULL);
}

static void
iomem_takes_the_top_level_only(void **state)
{
	struct memmap *mm;

	(void)state;
	mm = parse("00000000-00000fff : Reserved\n"
		   "00001000-0009fbff : System RAM\n"
		   "000a0000-000bffff : PCI Bus 0000:00\n"
		   "  000a0000-000bffff : Video RAM area\n"
		   "00100000-bffdffff : System RAM\n"
		   "  01000000-01c02fff : Kernel code\n"
		   "bffe0000-bfffffff : ACPI Tables\n"
		   "c0000000-c0000fff : ACPI Non-volatile Storage\n"
		   "c0001000-c0001fff : Unusable memory\n"
		   "100000000-13fffffff : System RAM\n");
	assert_int_equal(mm->mm_nranges, 8);
	assert_range(mm, 0, 0, 0x1000, MEMMAP_RESERVED, 0);
	assert_range(mm, 1, 0x1000, 0x9fc00, MEMMAP_USABLE, 0);
	assert_range(mm, 2, 0xa0000, 0xc0000, MEMMAP_OTHER, 0);
	assert_range(mm, 3, 0x100000, 0xbffe0000, MEMMAP_USABLE, 0);
	assert_range(mm, 4, 0xbffe0000, 0xc0000000, MEMMAP_ACPI, 0);
	assert_range(mm, 5, 0xc0000000, 0xc0001000, MEMMAP_NVS, 0);
	assert_range(mm, 6, 0xc0001000, 0xc0002000, MEMMAP_UNUSABLE, 0);
	assert_range(mm, 7, 0x100000000, 0x140000000, MEMMAP_USABLE, 0);
	memmap_free(mm);
}

/* What vm-4cpu-3g-2n printed at boot, and what its map says. */
static void
boot_log_equals_the_map_made_of_it(void **state)
{
	struct memmap_error me;
	struct memmap *log, *map;
	char path[1024];

	(void)state;
	log = parse(
	    "[    0.000000] Linux version 6.1.0 (gcc 12.2.0)\n"
	    "[    0.000000] BIOS-provided physical RAM map:\n"
	    "[    0.000000] BIOS-e820: [mem "
	    "0x0000000000000000-0x000000000009fbff] usable\n"
	    "[    0.000000] BIOS-e820: [mem "
	    "0x000000000009fc00-0x000000000009ffff] reserved\n"
	    "Jan  1 00:00:00 vm kernel: BIOS-e820: [mem "
	    "0x00000000000f0000-0x00000000000fffff] reserved\n"
	    "<6>BIOS-e820: [mem 0x0000000000100000-0x00000000bffdffff] usable\n"
	    "BIOS-e820: [mem 0x00000000bffe0000-0x00000000bfffffff] reserved\n"
	    "BIOS-e820: [mem 0x00000000fffc0000-0x00000000ffffffff] reserved\n"
	    "BIOS-e820: [mem 0x000000fd00000000-0x000000ffffffffff] reserved\n"
	    "[    0.0] e820: update [mem 0x00000000-0x00000fff] usable ==> "
	    "reserved\n"
	    "[    0.004] ACPI: SRAT: Node 0 PXM 0 [mem 0x00000000-0x0009ffff]\n"
	    "[    0.004] ACPI: SRAT: Node 0 PXM 0 [mem 0x00100000-0x3fffffff]\n"
	    "[    0.004] ACPI: SRAT: Node 1 PXM 1 [mem 0x40000000-0xbfffffff] "
	    "hotplug\n"
	    "[    0.005] NODE_DATA(0) allocated [mem 0x3ffd5000-0x3fffffff]\n");
	phys_map_path("vm-4cpu-3g-2n", path, sizeof(path));
	assert_int_equal(memmap_read(path, &map, &me), 0);
	assert_int_equal(log->mm_ndomains, 2);
	assert_int_equal(log->mm_naffinity, 3);
	assert_int_equal(log->mm_nranges, map->mm_nranges);
	for (size_t i = 0; i < map->mm_nranges; i++) {
		const struct memmap_range *mr = &map->mm_ranges[i];

		if (mr->mr_type != MEMMAP_USABLE) {
			assert_int_equal(
			    log->mm_ranges[i].mr_start, mr->mr_start);
			continue;
		}
		assert_range(log, i, mr->mr_start, mr->mr_end, mr->mr_type,
		    mr->mr_domain);
	}
	memmap_free(log);
	memmap_free(map);
}

static void
old_boot_logs_have_exclusive_ends(void **state)
{
	struct memmap *mm;

	(void)state;
	mm = parse(
	    " BIOS-e820: 0000000000000000 - 000000000009fc00 (usable)\n"
	    " BIOS-e820: 0000000000100000 - 0000000080000000 (usable)\n"
	    " BIOS-e820: 0000000080000000 - 0000000080001000 (ACPI data)\n"
	    " BIOS-e820: 0000000080001000 - 0000000080002000 (ACPI NVS)\n"
	    "SRAT: Node 0 PXM 0 0-40000000\n"
	    "SRAT: Node 1 PXM 1 40000000-80000000\n");
	assert_int_equal(mm->mm_nranges, 5);
	assert_range(mm, 0, 0, 0x9fc00, MEMMAP_USABLE, 0);
	assert_range(mm, 1, 0x100000, 0x40000000, MEMMAP_USABLE, 0);
	assert_range(mm, 2, 0x40000000, 0x80000000, MEMMAP_USABLE, 1);
	assert_range(mm, 3, 0x80000000, 0x80001000, MEMMAP_ACPI, 1);
	assert_range(mm, 4, 0x80001000, 0x80002000, MEMMAP_NVS, 1);
	memmap_free(mm);
}

static void
nodes_with_memory_become_dense_domains(void **state)
{
	struct memmap *mm;

	(void)state;
	mm = parse(
	    "BIOS-e820: [mem 0x0-0x3fffffff] usable\n"
	    "BIOS-e820: [mem 0x80000000-0xbfffffff] soft reserved\n"
	    "BIOS-e820: [mem 0xc0000000-0xc0ffffff] persistent (type 12)\n"
	    "ACPI: SRAT: Node 2 PXM 9 [mem 0x20000000-0x2fffffff]\n"
	    "ACPI: SRAT: Node 1 PXM 3 [mem 0x30000000-0x4fffffff]\n"
	    "ACPI: SRAT: Node 2 PXM 9 [mem 0x00000000-0x1fffffff]\n"
	    "ACPI: SRAT: Node 0 PXM 1 [mem 0x100000000-0x1ffffffff] hotplug\n");
	assert_int_equal(mm->mm_ndomains, 2);
	assert_int_equal(mm->mm_naffinity, 2);
	assert_int_equal(mm->mm_affinity[0].ma_end, 0x30000000);
	assert_range(mm, 0, 0, 0x30000000, MEMMAP_USABLE, 1);
	assert_range(mm, 1, 0x30000000, 0x40000000, MEMMAP_USABLE, 0);
	assert_int_equal(mm->mm_ranges[2].mr_type, MEMMAP_RESERVED);
	assert_int_equal(mm->mm_ranges[3].mr_type, MEMMAP_OTHER);
	memmap_free(mm);
}

static void
smap_lines_have_lengths(void **state)
{
	struct memmap *mm;

	(void)state;
	mm = parse("Copyright (c) 1992-2023 The FreeBSD Project.\n"
		   "SMAP type=01 base=0000000000000000 len=000000000009d800\n"
		   "SMAP type=02 base=000000000009d800 len=0000000000002800\n"
		   "SMAP type=03, xattr=01, base=00000000000a0000, "
		   "len=0000000000001000\n"
		   "SMAP type=04 base=00000000000a1000 len=0000000000001000\n"
		   "SMAP type=05 base=00000000000a2000 len=0000000000001000\n"
		   "SMAP type=0c base=00000000000a3000 len=0000000000001000\n"
		   "SMAP type=01 base=0000000000100000 len=0000000000000000\n");
	assert_int_equal(mm->mm_nranges, 6);
	assert_range(mm, 0, 0, 0x9d800, MEMMAP_USABLE, 0);
	assert_range(mm, 1, 0x9d800, 0xa0000, MEMMAP_RESERVED, 0);
	assert_range(mm, 2, 0xa0000, 0xa1000, MEMMAP_ACPI, 0);
	assert_range(mm, 3, 0xa1000, 0xa2000, MEMMAP_NVS, 0);
	assert_range(mm, 4, 0xa2000, 0xa3000, MEMMAP_UNUSABLE, 0);
	assert_range(mm, 5, 0xa3000, 0xa4000, MEMMAP_OTHER, 0);
	memmap_free(mm);
}

/* Bytes are those of the maps' own comments, in MiB and summed by awk. */
static void
every_real_map_is_read(void **state)
{
	static const struct {
		const char *name;
		size_t nranges;
		int ndomains;
		vm_size_t domain0_mib;
	} expected[] = {
		{ "desktop-freebsd-12g", 20, 1, 12246 },
		{ "epyc-2s-128t-1t-8n", 31, 8, 130749 },
		{ "epyc-2s-384t-1536g", 19, 2, 786109 },
		{ "hpe-uv-4t-16n", 48, 16, 257675 },
		{ "superdome-16s-480t-12t", 52, 16, 786315 },
		{ "tablet-8cpu-16g", 14, 1, 15978 },
		{ "vm-2cpu-24g", 5, 1, 24575 },
		{ "vm-2cpu-256m", 7, 1, 255 },
		{ "vm-4cpu-3g-2n", 8, 2, 1023 },
		{ "xeon-2s-104t-192g", 15, 2, 97915 },
		{ "xeon-2s-48t-256g", 15, 2, 130683 },
		{ "xeon-2s-88t-64g", 13, 2, 32671 },
		{ "xeon-4s-80t-128g", 31, 4, 32691 },
	};
	struct memmap_error me;
	struct memmap *mm;
	char path[1024];

	(void)state;
	for (size_t i = 0; i < COUNTOF(expected); i++) {
		assert_string_equal(phys_maps[i], expected[i].name);
		phys_map_path(expected[i].name, path, sizeof(path));
		if (memmap_read(path, &mm, &me) != 0)
			fail_msg("%s:%u: %s", path, me.me_line, me.me_text);
		assert_string_equal(mm->mm_name, expected[i].name);
		assert_memory_equal(mm->mm_title, "physical memory map: ", 21);
		assert_int_equal(mm->mm_nranges, expected[i].nranges);
		assert_int_equal(mm->mm_ndomains, expected[i].ndomains);
		assert_int_equal(
		    memmap_usable_bytes(mm, 0) >> 20, expected[i].domain0_mib);
		memmap_free(mm);
	}
	assert_null(phys_maps[COUNTOF(expected)]);
}

#define U "0-100000 usable 0\n"
#define E "BIOS-e820: [mem 0x0-0xfffff] usable\n"

static const struct {
	const char *text;
	unsigned line;
	const char *message;
} malformed[] = {
	{ "", 0, "expected a memory map, found none" },
	{ "# nothing\n\n", 0, "expected a memory map, found none" },
	{ "hello\n", 1, "expected START-END TYPE DOMAIN, found \"hello\"" },
	{ U "100000\n", 2, "expected START-END TYPE DOMAIN, found \"100000\"" },
	{ U "100000-\n", 2,
	    "expected END, a hexadecimal address, found the end of the line" },
	{ U "100000-11111111111111111 usable 0\n", 2,
	    "expected END, a hexadecimal address, found "
	    "\"11111111111111111 usable 0\"" },
	{ U "200000-100000 usable 0\n", 2,
	    "expected START below END, found \"200000-100000 usable 0\"" },
	{ U "100000-200000\n", 2,
	    "expected usable, reserved, acpi, nvs, unusable or other, "
	    "found the end of the line" },
	{ U "100000-200000 ram 0\n", 2,
	    "expected usable, reserved, acpi, nvs, unusable or other, "
	    "found \"ram 0\"" },
	{ U "100000-200000 usable\n", 2,
	    "expected a domain from 0 to 15, found the end of the line" },
	{ U "100000-200000 usable 16\n", 2,
	    "expected a domain from 0 to 15, found \"16\"" },
	{ U "100000-200000 usable -1\n", 2,
	    "expected a domain from 0 to 15, found \"-1\"" },
	{ U "100000-200000 usable 0 x\001y\n", 2,
	    "expected the end of the line, found \"x?y\"" },
	{ U "80000-200000 reserved 0\n", 2,
	    "expected disjoint ranges: 80000-200000 overlaps 0-100000 of "
	    "line 1" },
	{ "80000-200000 reserved 0\n" U, 2,
	    "expected disjoint ranges: 0-100000 overlaps 80000-200000 of "
	    "line 1" },
	{ U "100000-200000 usable 2\n", 0,
	    "expected usable memory in domain 1: domains are numbered from 0 "
	    "without gaps" },
	{ U "100000-200000 reserved 3\n", 2,
	    "expected a domain with usable memory, found 3" },
	{ "0-100000 reserved 0\n", 0, "expected usable memory, found none" },
	{ "1-1000 usable 0\n", 0, "expected usable memory, found none" },
	{ U "fffffffffff000-100000000000000 usable 0\n", 2,
	    "expected usable memory to end below 2^52" },

	{ "0-fff : System RAM\nwhat\n", 2,
	    "expected START-END : NAME, found \"what\"" },
	{ "0-fff : System RAM\n  1000-2000 x\n", 2,
	    "expected \" : NAME\", found \"x\"" },
	{ "0-fff : System RAM\n3000-2fff : x\n", 2,
	    "expected START not above END, found \"3000-2fff : x\"" },
	{ "0-fff : System RAM\n0-ffffffffffffffff : x\n", 2,
	    "expected END below 2^64 - 1, found \"0-ffffffffffffffff : x\"" },
	{ "00000000-00000000 : Reserved\n00000000-00000000 : System RAM\n"
	  "  00000000-00000000 : Kernel code\n",
	    1,
	    "expected addresses, but all are hidden (zero): read "
	    "/proc/iomem as root" },

	{ E "BIOS-e820: nonsense\n", 2,
	    "expected [mem 0xFIRST-0xLAST] or START - END, found "
	    "\"nonsense\"" },
	{ E "[0.0] BIOS-e820: [mem 0x100000-] usable\n", 2,
	    "expected [mem 0xFIRST-0xLAST], found "
	    "\"[mem 0x100000-] usable\"" },
	{ E "BIOS-e820: [mem 0x200000-0x100000] usable\n", 2,
	    "expected FIRST not above LAST, found "
	    "\"[mem 0x200000-0x100000] usable\"" },
	{ E "BIOS-e820: [mem 0x200000-0xffffffffffffffff] usable\n", 2,
	    "expected LAST below 2^64 - 1, found "
	    "\"[mem 0x200000-0xffffffffffffffff\"" },
	{ E "BIOS-e820: [mem 0x100000-0x200000] \n", 2,
	    "expected a type of memory, found the end of the line" },
	{ E "BIOS-e820: 100000 - 200000 usable\n", 2,
	    "expected (TYPE), found \"usable\"" },
	{ E "BIOS-e820: 200000 - 100000 (usable)\n", 2,
	    "expected START below END, found \"200000 - 100000 (usable)\"" },
	{ E "x\nSRAT: Node x\n", 3,
	    "expected N PXM P after \"Node\", found \"x\"" },
	{ E "SRAT: Node 0 PXM 0 here\n", 2,
	    "expected [mem 0xFIRST-0xLAST] or START-END, found \"here\"" },
	{ E "SRAT: Node 0 PXM 0 [mem 0x0-0x7ffff]\n", 1,
	    "expected an SRAT record that covers 80000" },
	{ E "SRAT: Node 0 PXM 0 [mem 0x1000-0xfffff]\n", 1,
	    "expected an SRAT record that covers 0" },
	{ E "SRAT: Node 0 PXM 0 [mem 0x0-0x7ffff]\n"
	    "SRAT: Node 1 PXM 1 [mem 0x70000-0xfffff]\n",
	    3,
	    "expected disjoint ranges: 70000-100000 overlaps 0-80000 of "
	    "line 2" },
	{ "SRAT: Node 0 PXM 0 [mem 0x0-0x7ffff]\n", 0,
	    "expected a memory map, found none" },
	{ "SMAP type=zz base=0 len=1000\n", 1,
	    "expected a type after \"SMAP type=\", found "
	    "\"zz base=0 len=1000\"" },
	{ "SMAP type=01 base=0 size=1000\n", 1,
	    "expected base=B len=L, found \"base=0 size=1000\"" },
	{ "SMAP type=01 base=ffffffffffffffff len=1000\n", 1,
	    "expected an end below 2^64, found "
	    "\"base=ffffffffffffffff len=1000\"" },
	{ E "SMAP type=01 base=100000 len=1000\n", 2,
	    "expected BIOS-e820 or SMAP lines, found both" },
};

static void
malformed_text_is_refused_with_line_and_reason(void **state)
{
	struct memmap_error me;
	struct memmap *mm;

	(void)state;
	for (size_t i = 0; i < COUNTOF(malformed); i++) {
		mm = NULL;
		assert_int_equal(memmap_parse("text", malformed[i].text,
				     strlen(malformed[i].text), &mm, &me),
		    EINVAL);
		assert_null(mm);
		assert_string_equal(me.me_text, malformed[i].message);
		assert_int_equal(me.me_line, malformed[i].line);
	}
}

static void
more_than_16_domains_are_refused(void **state)
{
	char text[4096] = "";
	struct memmap_error me;
	struct memmap *mm;
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 17; i++) {
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "BIOS-e820: [mem 0x%x00000-0x%xfffff] usable\n"
		    "SRAT: Node %u PXM 0 [mem 0x%x00000-0x%xfffff]\n",
		    i, i, i, i, i);
	}
	assert_int_equal(memmap_parse("x", text, n, &mm, &me), EINVAL);
	assert_int_equal(me.me_line, 33);
	assert_string_equal(
	    me.me_text, "expected at most 16 domains with memory");
}

static void
files_that_cannot_be_read_say_why(void **state)
{
	struct memmap_error me;
	struct memmap *mm;

	(void)state;
	assert_int_equal(memmap_read("/nonexistent", &mm, &me), ENOENT);
	assert_int_equal(me.me_line, 0);
	assert_string_equal(me.me_text, strerror(ENOENT));
	assert_int_equal(memmap_read("/", &mm, &me), EISDIR);
	assert_int_equal(memmap_read("/dev/zero", &mm, &me), EFBIG);
	assert_int_equal(memmap_read("/dev/null", &mm, &me), EINVAL);
}

/*
 * Bytes of good texts are changed, removed and doubled at random: whatever comes
 * out must be read or refused, and what is read must hold together.
 */
static void
no_text_breaks_the_reader(void **state)
{
	uint64_t rnd = phys_seed();

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct memmap_error me;
		struct memmap *mm;
		char text[1024];
		size_t at, len, n;

		n = phys_random(&rnd) % COUNTOF(malformed);
		len = strlen(malformed[n].text);
		memcpy(text, malformed[n].text, len);
		for (n = phys_random(&rnd) % 8; n > 0 && len > 0; n--) {
			at = phys_random(&rnd) % len;
			switch (phys_random(&rnd) % 4) {
			case 0:
				text[at] = (char)phys_random(&rnd);
				break;
			case 1:
				text[at] =
				    "0f- :[]x\n#"[phys_random(&rnd) % 10];
				break;
			case 2:
				len = at;
				break;
			default:
				if (len * 2 <= sizeof(text)) {
					memcpy(text + len, text, len);
					len *= 2;
				}
				break;
			}
		}
		if (memmap_parse("x", text, len, &mm, &me) != 0) {
			assert_true(me.me_text[0] != '\0');
			continue;
		}
		for (size_t i = 0; i < mm->mm_nranges; i++) {
			const struct memmap_range *mr = &mm->mm_ranges[i];

			assert_true(mr->mr_start < mr->mr_end);
			assert_true(i == 0 || mr[-1].mr_end <= mr->mr_start);
			assert_in_range(mr->mr_domain, 0, mm->mm_ndomains - 1);
		}
		for (int d = 0; d < mm->mm_ndomains; d++)
			assert_true(memmap_usable_bytes(mm, d) > 0);
		memmap_free(mm);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_lines_are_read_and_sorted),
		cmocka_unit_test(iomem_takes_the_top_level_only),
		cmocka_unit_test(boot_log_equals_the_map_made_of_it),
		cmocka_unit_test(old_boot_logs_have_exclusive_ends),
		cmocka_unit_test(nodes_with_memory_become_dense_domains),
		cmocka_unit_test(smap_lines_have_lengths),
		cmocka_unit_test(every_real_map_is_read),
		cmocka_unit_test(
		    malformed_text_is_refused_with_line_and_reason),
		cmocka_unit_test(more_than_16_domains_are_refused),
		cmocka_unit_test(files_that_cannot_be_read_say_why),
		cmocka_unit_test(no_text_breaks_the_reader),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
