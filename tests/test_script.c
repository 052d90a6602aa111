/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The language of scripts: what is malformed and how that is said, the form of
 * the output, and that a script that is wrong leaves the machine as it was.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "pmap/pmap_var.h"
#include "pmapsim/script.h"

#define MACHINE                                                                \
	"machine seg=0x1000-0x9f000 seg=0x100000-0x512000 "                    \
	"seg=0x512000-0x800000 seg=0x880000-0x2000000:1"

static struct script *
start(bool check)
{
	const struct script_config sc = { .sc_check = check };
	struct script *s = script_create(&sc);

	assert_non_null(s);
	return (s);
}

/* The result of a line, which is left in *out. */
static int
result(struct script *s, const char *line, struct script_out *out)
{
	struct script_op op;
	char err[256] = "";
	int error;

	script_out_clear(out);
	error = script_parse(line, &op, err, sizeof(err));
	if (error != 0) {
		script_out_printf(out, "error: %s", err);
		return (error);
	}
	return (script_exec(s, &op, out));
}

static void
expect(struct script *s, const char *line, const char *want)
{
	struct script_out out = { .so_buf = NULL };

	(void)result(s, line, &out);
	if (strcmp(out.so_buf, want) != 0)
		fail_msg("%s:\n  expected %s\n  found    %s", line, want,
		    out.so_buf);
	script_out_free(&out);
}

static void
stop(struct script *s)
{
	assert_int_equal(script_destroy(s), 0);
}

/* What the line alone shows. */
static const struct {
	const char *line;
	const char *cause; /* some of it */
} malformed[] = {
	{ "bogus", "no operation \"bogus\"" },
	{ "pmap", "the name of a map" },
	{ "pmap a-b", "letters and digits" },
	{ "pmap a b", "\"b\": expected nothing" },
	{ "pmap aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "at most 31 characters" },
	{ "machine", "a machine without memory" },
	{ "machine seg=0x1000", "seg=START-END" },
	{ "machine seg=0x1000-0x2000:x", "seg=START-END" },
	{ "machine seg=0x1000-0x2001", "multiples of 0x1000" },
	{ "machine seg=0x2000-0x2000", "START below END" },
	{ "machine seg=0x1000-0x10000000001000", "END up to" },
	{ "machine seg=0x3000-0x4000 seg=0x1000-0x2000", "ascending" },
	{ "machine seg=0x1000-0x3000 seg=0x2000-0x4000", "disjoint" },
	{ "machine seg=0x1000-0x2000 super", "or nosuper" },
	{ "shortage", "pt=N, pv=N or off" },
	{ "shortage pt=x", "pt=N, pv=N" },
	{ "shortage pt=1 pt=2", "each once" },
	{ "shortage off pt=1", "nothing after off" },
	{ "enter a 0x1000 0x1000", "without rights" },
	{ "enter a 0x1000 0x1000 prot=", "some of r, w, x" },
	{ "enter a 0x1000 0x1000 prot=rr", "some of r, w, x" },
	{ "enter a 0x1000 0x1000 prot=none", "some of r, w, x" },
	{ "enter a 0x1000 0x1000 prot=r access=w", "w in prot=" },
	{ "enter a 0x1000 0x1000 prot=r access=", "one of r, w, x" },
	{ "enter a 0x1000 0x1000 prot=r psind=2", "psind=0 or 1" },
	{ "enter a 0x1000 0x1000 prot=r prot=r", "each option once" },
	{ "enter a 0x1000 0x1000 prot=r super", "an option" },
	{ "enter a 0x1001 0x1000 prot=r", "a multiple of 0x1000" },
	{ "enter a 0x800000000000 0x1000 prot=r", "expected 0 to" },
	{ "enter a 0x1000 0x10000000000000 prot=r", "frame" },
	{ "enter a 0x1000 123x prot=r", "decimal or 0x" },
	{ "enter a 0x1000 0x prot=r", "decimal or 0x" },
	{ "enter a 0x1000 -4096 prot=r", "decimal or 0x" },
	{ "enter a 0x1000 18446744073709551616 prot=r", "decimal or 0x" },
	{ "enter a 12ab 0x1000 prot=r", "decimal or 0x" },
	{ "enter_range a 0x1000 0x2000 0x1000 prot=r psind=1", "an option" },
	{ "enter_quick a 0x1000 0x1000 prot=r wired", "an option" },
	{ "remove a 0x2000 0x1000", "end" },
	{ "remove a 0x2000", "the end of the range" },
	{ "remove a 0x2000 0x800000001000", "end" },
	{ "protect a 0x1000 0x2000 prot=n", "or none" },
	{ "advise a 0x1000 0x2000 now", "dontneed or free" },
	{ "reserv 0x200000 half", "partial or full" },
	{ "touch a 0x1000 rw", "one of r, w, x" },
	{ "touch a 0x800000000000 r", "address" },
	{ "copy a b 0x0 0x800000001000 0x0", "length" },
	{ "copy a b 0x1000 0x7ffffffff000 0x2000", "address" },
	{ "page 0x1001", "a multiple of 0x1000" },
	{ "pages now", "nothing" },
};

static void
a_malformed_line_says_why(void **state)
{
	struct script_op op;
	char err[256];

	(void)state;
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		assert_int_equal(
		    script_parse(malformed[i].line, &op, err, sizeof(err)),
		    EINVAL);
		if (strstr(err, malformed[i].cause) == NULL ||
		    strstr(err, "expected") == NULL)
			fail_msg("%s: %s", malformed[i].line, err);
	}
}

static void
every_operation_has_a_name_that_is_read(void **state)
{
	struct script_op op;
	char err[256], line[64];

	(void)state;
	for (int c = SCRIPT_NONE + 1; c < SCRIPT_NCODES; c++) {
		(void)snprintf(line, sizeof(line), "%s",
		    script_code_name((enum script_code)c));
		err[0] = '\0';
		(void)script_parse(line, &op, err, sizeof(err));
		assert_int_equal(op.so_code, c);
		assert_null(strstr(err, "no operation"));
	}
	assert_string_equal(script_code_name(SCRIPT_NCODES), "?");
}

static void
numbers_are_decimal_or_hexadecimal(void **state)
{
	struct script_op op;
	char err[256];

	(void)state;
	assert_int_equal(script_parse("touch a1B2 65537 x # the second page",
			     &op, err, sizeof(err)),
	    0);
	assert_int_equal(op.so_va, 0x10001);
	assert_int_equal(op.so_access, VM_PROT_EXECUTE);
	assert_string_equal(op.so_map, "a1B2");
	assert_int_equal(
	    script_parse("page 0X1Fe000", &op, err, sizeof(err)), 0);
	assert_int_equal(op.so_pa, 0x1fe000);
	assert_int_equal(
	    script_parse("\t # nothing", &op, err, sizeof(err)), 0);
	assert_int_equal(op.so_code, SCRIPT_NONE);
}

static void
output_is_squeezed_and_numbered(void **state)
{
	struct script_out out = { .so_buf = NULL };
	struct script *s = start(false);
	char err[256];

	(void)state;
	assert_int_equal(
	    script_line(s, 7, "  machine\tseg=0x1000-0x9f000  # small", &out,
		err, sizeof(err)),
	    0);
	assert_int_equal(
	    script_line(s, 8, "# nothing", &out, err, sizeof(err)), 0);
	assert_int_equal(
	    script_line(s, 9, "dump  a", &out, err, sizeof(err)), EINVAL);
	assert_string_equal(out.so_buf,
	    "7: machine seg=0x1000-0x9f000 -> ok\n"
	    "9: dump a -> error: no map a, expected one made by pmap\n");
	assert_string_equal(err, "no map a, expected one made by pmap");
	script_out_free(&out);
	stop(s);
}

/* What only the state shows. */
static const char *const misplaced[] = {
	MACHINE,
	"pmap a",
	"dump nobody",
	"copy a nobody 0 0x1000 0",
	"copy a a 0 0x1000 0",
	"release a",
	"unwire a 0x0 0x800000000000",
	"enter a 0x400000 0xa0000 prot=r",
	"enter a 0x600000 0x200000 prot=r unmanaged",
	"enter a 0x600000 0x300000 prot=r",
	"enter_quick a 0x600000 0x300000 prot=r",
	"enter_object a 0x600000 0x700000 0x280000 prot=r",
	"enter_object a 0x600000 0x700000 0xa0000 prot=r",
	"enter_range a 0x600000 0x602000 0x1ff000 prot=r unmanaged",
	"enter_range a 0x0 0x2000 0xffffffffff000 prot=r unmanaged",
	"enter a 0x600000 0x201000 prot=r psind=1",
	"enter a 0x601000 0x400000 prot=r psind=1",
	"enter a 0x600000 0x400000 prot=r psind=1",
	"enter a 0x600000 0x800000 prot=r psind=1",
	"enter a 0x600000 0xa00000 prot=rw psind=1",
	"enter a 0x600000 0xa00000 prot=r psind=1 wired",
	"is_modified 0x300000",
	"ts_referenced 0xa0000",
	"remove_all 0x300000",
	"page_exists_quick a 0x300000",
};

static void
what_is_misplaced_changes_nothing(void **state)
{
	struct script_out before = { .so_buf = NULL };
	struct script_out out = { .so_buf = NULL };
	struct script *s = start(true);

	(void)state;
	expect(s, "pmap a",
	    "error: no machine yet, expected machine seg=START-END");
	expect(s, MACHINE, "ok");
	expect(s, "pmap a", "ok");
	expect(s, "enter a 0x200000 0x200000 prot=rw access=w", "ok");
	expect(s, "enter a 0x300000 0x300000 prot=rw wired unmanaged", "ok");
	assert_int_equal(result(s, "dump a", &before), 0);
	for (size_t i = 0; i < sizeof(misplaced) / sizeof(misplaced[0]); i++) {
		if (result(s, misplaced[i], &out) != EINVAL)
			fail_msg("%s: %s", misplaced[i], out.so_buf);
		if (strncmp(out.so_buf, "error: ", 7) != 0 ||
		    strstr(out.so_buf, "expected") == NULL)
			fail_msg("%s: %s", misplaced[i], out.so_buf);
		assert_int_equal(result(s, "dump a", &out), 0);
		assert_string_equal(out.so_buf, before.so_buf);
	}
	assert_int_equal(script_violations(s), 0);
	script_out_free(&before);
	script_out_free(&out);
	stop(s);
}

/* A run that two segments cover is not full, even of one domain. */
static void
a_run_is_full_in_one_segment_only(void **state)
{
	struct script *s = start(true);

	(void)state;
	expect(s, MACHINE, "ok");
	expect(s, "reserv 0x200fff full", "full");
	expect(s, "reserv 0x400000 full", "partial");
	expect(s, "reserv 0x512000 full", "partial");
	expect(s, "reserv 0xa0000 full", "partial");
	expect(s, "reserv 0x2000000 full", "partial");
	expect(s, "reserv 0x200000 partial", "partial");
	expect(s, "pmap a", "ok");
	expect(s, "enter_range a 0x400000 0x600000 0x400000 prot=rw access=w",
	    "ok=512");
	expect(s, "enter_range a 0x200000 0x400000 0x200000 prot=rw access=w",
	    "ok=512");
	expect(s, "stat a",
	    "resident=1024 wired=0 ptpages=4 spare=0 leaf4k=1024 leaf2m=0 "
	    "promotions=0 demotions=0 failures=0 mappings=0");
	stop(s);
}

/* A frame without a descriptor of the machine is a frame all the same. */
static void
frames_of_devices_are_unmanaged(void **state)
{
	struct script *s = start(true);

	(void)state;
	expect(s, "machine seg=0x100000-0x2000000", "ok");
	expect(s, "pmap a", "ok");
	expect(s, "enter a 0x1000 0xa0000 prot=r unmanaged", "ok");
	expect(s, "enter a 0x2000 0xfee00000 prot=rw unmanaged", "ok");
	expect(s, "dump a",
	    "2\n  0x1000 4k 0xa0000 r--ua-----\n"
	    "  0x2000 4k 0xfee00000 rw-uam----");
	expect(s, "extract a 0x2abc", "0xfee00abc");
	expect(s, "extract_hold a 0x2abc prot=w", "0xfee00000");
	expect(s, "extract_hold a 0x1abc prot=w", "none");
	expect(s, "page 0xa0000", "unmanaged");
	expect(s, "page_is_mapped 0xa0000", "0");
	stop(s);
}

/* The first frame can be mapped, and the last before the end of addresses. */
static void
frames_at_the_ends_of_memory_can_be_mapped(void **state)
{
	struct script *s = start(true);

	(void)state;
	expect(s, "machine seg=0x2000-0x4000 seg=0x3ff000-0x400000:7", "ok");
	expect(s, "pmap a", "ok");
	expect(s, "enter a 0x7ffffffff000 0x2000 prot=r", "ok");
	expect(s, "enter a 0x0 0x3ff000 prot=x access=x", "ok");
	expect(s, "dump a",
	    "2\n  0x0 4k 0x3ff000 r-xua--M--\n"
	    "  0x7ffffffff000 4k 0x2000 r--ua--M--");
	expect(s, "pages",
	    "list\n  0x2000 pv4k=1 pv2m=0 ref=0 dirty=0 writeable=0 wired=0\n"
	    "  0x3ff000 pv4k=1 pv2m=0 ref=0 dirty=0 writeable=0 wired=0");
	stop(s);
}

static void
check_mode_sees_what_is_broken(void **state)
{
	struct script_out out = { .so_buf = NULL };
	struct script *s = start(true);
	struct vm_page *m;

	(void)state;
	expect(s, MACHINE, "ok");
	expect(s, "pmap a", "ok");
	expect(s, "enter a 0x200000 0x200000 prot=r", "ok");
	/* Mapped, and nobody's. */
	m = PHYS_TO_VM_PAGE(script_machine(s)->ma_vp, 0x200000);
	atomic_store_explicit(&m->ref_count, 0, memory_order_relaxed);
	assert_int_equal(result(s, "is_modified 0x200000", &out), EFAULT);
	assert_true(script_violations(s) > 0);
	atomic_store_explicit(&m->ref_count, 1, memory_order_relaxed);
	assert_int_equal(result(s, "is_modified 0x200000", &out), 0);
	script_out_free(&out);
	stop(s);
}

static void
a_script_may_end_anywhere(void **state)
{
	struct script *s = start(false);

	(void)state;
	stop(s);
	s = start(false);
	expect(s, MACHINE, "ok");
	stop(s);
	s = start(false);
	expect(s, MACHINE, "ok");
	expect(s, "pmap a", "ok");
	expect(s, "pmap b", "ok");
	expect(s, "enter a 0xa00000 0xa00000 prot=rw access=w psind=1", "ok");
	expect(s, "enter b 0x0 0x1000 prot=r wired", "ok");
	expect(s, "shortage pt=0 pv=0", "ok");
	stop(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_malformed_line_says_why),
		cmocka_unit_test(every_operation_has_a_name_that_is_read),
		cmocka_unit_test(numbers_are_decimal_or_hexadecimal),
		cmocka_unit_test(output_is_squeezed_and_numbered),
		cmocka_unit_test(what_is_misplaced_changes_nothing),
		cmocka_unit_test(a_run_is_full_in_one_segment_only),
		cmocka_unit_test(frames_of_devices_are_unmanaged),
		cmocka_unit_test(frames_at_the_ends_of_memory_can_be_mapped),
		cmocka_unit_test(check_mode_sees_what_is_broken),
		cmocka_unit_test(a_script_may_end_anywhere),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
