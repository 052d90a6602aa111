/* SPDX-License-Identifier: BSD-2-Clause */

/* The table of pv list locks, and the check of a table from outside. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pmapsim/pv_lock.h"

static void
no_lock(void *p)
{
	(void)p;
}

static bool
no_trylock(void *p)
{
	(void)p;
	return (true);
}

static void
no_unlock(void *p, bool modified)
{
	(void)p;
	(void)modified;
}

static int
no_init(void *p)
{
	(void)p;
	return (0);
}

static const struct pv_lock_ops foreign = {
	.plo_name = "foreign",
	.plo_descr = "complete and useless",
	.plo_size = 4,
	.plo_align = 4,
	.plo_flags = 0,
	.plo_init = no_init,
	.plo_lock = no_lock,
	.plo_trylock = no_trylock,
	.plo_unlock = no_unlock,
};

static void
every_table_passes_the_check(void **state)
{
	/* On every host; some have more. */
	static const char *const names[] = { "rwlock", "pthread_mutex",
		"pthread_pi", "mtx8", "gen2", "gen1", "none" };
	const struct pv_lock_ops *const *list = pv_lock_ops_list();
	const char *why = NULL;
	size_t n;

	(void)state;
	for (n = 0; list[n] != NULL; n++) {
		assert_int_equal(pv_lock_ops_check(list[n], &why), 0);
		assert_ptr_equal(
		    pv_lock_ops_lookup(list[n]->plo_name), list[n]);
	}
	assert_true(n >= sizeof(names) / sizeof(names[0]));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_non_null(pv_lock_ops_lookup(names[i]));
	assert_int_equal(pv_lock_ops_check(&foreign, &why), 0);
	assert_null(why);
	assert_null(pv_lock_ops_lookup("foreign"));
	assert_null(pv_lock_ops_lookup(""));
}

static void
header_bytes_follow_from_the_tables(void **state)
{
	(void)state;
	assert_int_equal(pv_lock_ops_lookup("rwlock")->plo_size, 32);
	assert_int_equal(pv_lock_ops_lookup("mtx8")->plo_size, 8);
	assert_int_equal(pv_lock_ops_lookup("gen2")->plo_size, 0);
	assert_int_equal(pv_lock_ops_lookup("gen2")->plo_gen_bits, 2);
	assert_int_equal(pv_lock_ops_lookup("gen1")->plo_size, 0);
	assert_int_equal(pv_lock_ops_lookup("gen1")->plo_gen_bits, 1);
}

static void
check_tells_what_is_wrong(void **state)
{
	struct pv_lock_ops bad[14];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		bad[i] = foreign;
	bad[n++].plo_name = NULL;
	bad[n++].plo_name = "";
	bad[n++].plo_name = "9lives";
	bad[n++].plo_name = "Upper";
	bad[n++].plo_descr = NULL;
	bad[n++].plo_size = PV_LOCK_WORD_MAX + 4;
	bad[n++].plo_size = 6;
	bad[n++].plo_size = 0;
	bad[n++].plo_align = 48;
	bad[n++].plo_gen_bits = 3;
	bad[n++].plo_gen_bits = 1;
	bad[n++].plo_trylock = NULL;
	bad[n++].plo_init = NULL;
	bad[n++].plo_rlock = no_lock;
	assert_int_equal(n, sizeof(bad) / sizeof(bad[0]));
	for (size_t i = 0; i < n; i++) {
		const char *why = NULL;

		assert_int_not_equal(pv_lock_ops_check(&bad[i], &why), 0);
		assert_non_null(why);
	}
}

static void
none_has_no_word_and_never_waits(void **state)
{
	const struct pv_lock_ops *ops = pv_lock_ops_lookup("none");

	(void)state;
	assert_int_equal(ops->plo_size, 0);
	assert_true((ops->plo_flags & PLO_NOLOCK) != 0);
	ops->plo_lock(NULL);
	assert_true(ops->plo_trylock(NULL));
	ops->plo_unlock(NULL, true);
	ops->plo_unlock(NULL, false);
}

static void
host_mutex_is_zero_where_its_flag_says_so(void **state)
{
	static const pthread_mutex_t initial = PTHREAD_MUTEX_INITIALIZER;
	static const char zeroes[sizeof(initial)];
	const struct pv_lock_ops *ops = pv_lock_ops_lookup("pthread_mutex");

	(void)state;
	if ((ops->plo_flags & PLO_ZEROINIT) == 0)
		skip();
	assert_memory_equal(&initial, zeroes, sizeof(initial));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_table_passes_the_check),
		cmocka_unit_test(header_bytes_follow_from_the_tables),
		cmocka_unit_test(check_tells_what_is_wrong),
		cmocka_unit_test(none_has_no_word_and_never_waits),
		cmocka_unit_test(host_mutex_is_zero_where_its_flag_says_so),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
