/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/virtual/arena.h"
#include "sim/virtual/preset.h"
#include "sim/virtual/virt.h"
#include "sim/virtual/world.h"
#include "virt_entry_points.h"

static _Alignas(64) unsigned char outside[ENTRY_POINTS_BYTES];

static uint64_t
expected(void)
{
	memset(outside, 0, sizeof(outside));
	return (entry_points_plain(outside));
}

static void
accesses_outside_do_what_they_say(void **state)
{
	uint64_t want = expected();

	(void)state;
	memset(outside, 0, sizeof(outside));
	assert_false(virt_on());
	assert_true(entry_points_instrumented(outside) == want);
	assert_int_equal(entry_points_16(outside), 0);
}

/* A world in which they are made; its event hash, and how many there were. */
static uint64_t
run_in_world(bool inside, uint64_t *accessesp)
{
	static struct preset pr;
	struct virt_config vc = {
		.vc_preset = &pr,
		.vc_ncpus = 2,
		.vc_seed = 1,
	};
	uint64_t accesses, hash, want = expected();
	struct preset_error pe;
	unsigned char *mem;

	assert_int_equal(preset_open("laptop-8", &pr, &pe), 0);
	assert_int_equal(virt_begin(&vc), 0);
	mem = inside ? arena_get(4096, 0) : outside;
	memset(mem, 0, ENTRY_POINTS_BYTES);
	accesses = virt_accesses();
	world_untimed(false);
	assert_true(entry_points_instrumented(mem) == want);
	assert_int_equal(entry_points_16(mem), 0);
	world_untimed(true);
	*accessesp = virt_accesses() - accesses;
	hash = virt_event_hash();
	virt_end();
	return (hash);
}

static void
accesses_in_a_world_do_what_they_say(void **state)
{
	uint64_t accesses, again, hash, none;

	(void)state;
	hash = run_in_world(true, &accesses);
	/* 16 loops' worth at the least: the sum over all bytes at the end. */
	assert_true(accesses > ENTRY_POINTS_BYTES);
	assert_true(run_in_world(true, &again) == hash);
	assert_int_equal(again, accesses);
	assert_true(run_in_world(false, &none) != hash);
	assert_true(none < accesses);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accesses_outside_do_what_they_say),
		cmocka_unit_test(accesses_in_a_world_do_what_they_say),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
