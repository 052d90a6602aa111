/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Lent priorities, as the books of the turnstiles have them, over every lock that
 * knows its owner: the owner is as urgent as the first that waits, along chains of
 * owners, until it releases that lock and no longer.  See turnstile.c.
 */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lock/leaf_lock.h"
#include "lock/rwlock.h"
#include "lock/turnstile.h"
#include "lock_util.h"
#include "pmapsim/pv_lock.h"

#define NLINKS 3

static const struct pv_lock_ops *ops; /* the backend under test */

struct link {
	_Alignas(64) char l_word[PV_LOCK_WORD_MAX];
};

static struct link links[NLINKS];

/* What threads sleep on. */
static const void *
key_of(const struct link *l)
{
	return (strcmp(ops->plo_name, "rwlock") == 0
		? l->l_word + offsetof(struct rwlock, rw_lock)
		: l->l_word);
}

static int
setup(void **state)
{
	(void)state;
	lt_setup(&lt, &sim_real_ops, 2, false);
	memset(links, 0, sizeof(links));
	for (int i = 0; i < NLINKS; i++) {
		if (ops->plo_init != NULL)
			assert_int_equal(ops->plo_init(links[i].l_word), 0);
	}
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	for (int i = 0; i < NLINKS; i++) {
		if (ops->plo_destroy != NULL)
			ops->plo_destroy(links[i].l_word);
	}
	lt_teardown(&lt);
	return (0);
}

/* Takes link i and then, holding it, the one before. */
static void
take_two(void *arg, unsigned i)
{
	(void)arg;
	ops->plo_lock(links[i].l_word);
	ops->plo_lock(links[i - 1].l_word);
	ops->plo_unlock(links[i - 1].l_word, true);
	ops->plo_unlock(links[i].l_word, true);
}

static void
take_one(void *arg, unsigned i)
{
	(void)arg;
	ops->plo_lock(links[i].l_word);
	ops->plo_unlock(links[i].l_word, true);
}

static void
the_owner_has_what_its_first_waiter_lends(void **state)
{
	static const int pris[4] = { 140, 120, 125, 90 };
	static const int lent[4] = { 128, 120, 120, 90 };
	static struct lt_thread lth[4];

	(void)state;
	ops->plo_lock(links[0].l_word);
	for (unsigned i = 0; i < 4; i++) {
		lt_start(&lt, &lth[i], pris[i], take_one, NULL, 0);
		lt_await_blocked(&lth[i], key_of(&links[0]));
		assert_int_equal(lt_await_pri(lt.lt_td, lent[i]), lent[i]);
	}
	ops->plo_unlock(links[0].l_word, true);
	assert_int_equal(lt_pri(lt.lt_td), PRI_DEFAULT);
	for (unsigned i = 0; i < 4; i++)
		lt_join(&lth[i]);
	assert_int_equal(lt_pri(lt.lt_td), PRI_DEFAULT);
}

static void
a_release_returns_what_was_lent_for_that_lock(void **state)
{
	static struct lt_thread lth[2];

	(void)state;
	ops->plo_lock(links[0].l_word);
	ops->plo_lock(links[1].l_word);
	lt_start(&lt, &lth[0], 60, take_one, NULL, 0);
	lt_await_blocked(&lth[0], key_of(&links[0]));
	assert_int_equal(lt_await_pri(lt.lt_td, 60), 60);
	lt_start(&lt, &lth[1], 30, take_one, NULL, 1);
	lt_await_blocked(&lth[1], key_of(&links[1]));
	assert_int_equal(lt_await_pri(lt.lt_td, 30), 30);
	ops->plo_unlock(links[1].l_word, true);
	assert_int_equal(lt_pri(lt.lt_td), 60);
	ops->plo_unlock(links[0].l_word, true);
	assert_int_equal(lt_pri(lt.lt_td), PRI_DEFAULT);
	lt_join(&lth[0]);
	lt_join(&lth[1]);
}

/*
 * Three locks, a waiter of its own priority at each, and every order in which they
 * can be released: each time what is left is the most urgent of the rest.
 */
static void
each_release_leaves_the_most_urgent_of_the_rest(void **state)
{
	static const int lent[NLINKS] = { 90, 30, 60 };
	/* By urgency: then each loan is seen to have been made. */
	static const unsigned coming[NLINKS] = { 0, 2, 1 };
	static const unsigned orders[][NLINKS] = { { 0, 1, 2 }, { 0, 2, 1 },
		{ 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	static struct lt_thread lth[NLINKS];
	int rest;

	(void)state;
	for (size_t o = 0; o < sizeof(orders) / sizeof(orders[0]); o++) {
		for (unsigned i = 0; i < NLINKS; i++)
			ops->plo_lock(links[i].l_word);
		for (unsigned c = 0; c < NLINKS; c++) {
			unsigned i = coming[c];

			lt_start(&lt, &lth[i], lent[i], take_one, NULL, i);
			lt_await_blocked(&lth[i], key_of(&links[i]));
			assert_int_equal(
			    lt_await_pri(lt.lt_td, lent[i]), lent[i]);
		}
		for (unsigned i = 0; i < NLINKS; i++) {
			ops->plo_unlock(links[orders[o][i]].l_word, true);
			rest = PRI_DEFAULT;
			for (unsigned k = i + 1; k < NLINKS; k++) {
				if (lent[orders[o][k]] < rest)
					rest = lent[orders[o][k]];
			}
			assert_int_equal(lt_pri(lt.lt_td), rest);
		}
		for (unsigned i = 0; i < NLINKS; i++)
			lt_join(&lth[i]);
	}
}

static void
a_loan_goes_along_a_chain_of_owners(void **state)
{
	static struct lt_thread lth[NLINKS];

	(void)state;
	ops->plo_lock(links[0].l_word);
	for (unsigned i = 1; i < NLINKS; i++) {
		lt_start(&lt, &lth[i], PRI_DEFAULT, take_two, NULL, i);
		lt_await_blocked(&lth[i], key_of(&links[i - 1]));
	}
	assert_int_equal(lt_pri(lt.lt_td), PRI_DEFAULT);
	lt_start(&lt, &lth[0], 10, take_one, NULL, NLINKS - 1);
	lt_await_blocked(&lth[0], key_of(&links[NLINKS - 1]));
	assert_int_equal(lt_await_pri(lt.lt_td, 10), 10);
	ops->plo_unlock(links[0].l_word, true);
	assert_int_equal(lt_pri(lt.lt_td), PRI_DEFAULT);
	for (unsigned i = 0; i < NLINKS; i++)
		lt_join(&lth[i]);
}

/* In the middle of the queue, and not the first to have come. */
static void
who_is_lent_to_moves_up_on_its_queue(void **state)
{
	static struct lt_thread first, middle, urgent;

	(void)state;
	ops->plo_lock(links[0].l_word);
	lt_start(&lt, &first, 100, take_one, NULL, 0);
	lt_await_blocked(&first, key_of(&links[0]));
	lt_start(&lt, &middle, 110, take_two, NULL, 1);
	lt_await_blocked(&middle, key_of(&links[0]));
	assert_int_equal(lt_await_pri(lt.lt_td, 100), 100);
	lt_start(&lt, &urgent, 20, take_one, NULL, 1);
	lt_await_blocked(&urgent, key_of(&links[1]));
	assert_int_equal(lt_await_pri(lt.lt_td, 20), 20);
	ops->plo_unlock(links[0].l_word, true);
	assert_int_equal(lt_pri(lt.lt_td), PRI_DEFAULT);
	lt_join(&first);
	lt_join(&middle);
	lt_join(&urgent);
}

int
main(void)
{
	static const char *const names[] = { "rwlock", "mtx8", "gen2" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_has_what_its_first_waiter_lends),
		cmocka_unit_test(a_release_returns_what_was_lent_for_that_lock),
		cmocka_unit_test(
		    each_release_leaves_the_most_urgent_of_the_rest),
		cmocka_unit_test(a_loan_goes_along_a_chain_of_owners),
		cmocka_unit_test(who_is_lent_to_moves_up_on_its_queue),
	};
	int failed = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ops = pv_lock_ops_lookup(names[i]);
		failed += cmocka_run_group_tests_name(
		    ops->plo_name, tests, setup, teardown);
	}
	return (failed == 0 ? 0 : 1);
}
