/* SPDX-License-Identifier: BSD-2-Clause */

#include "lock_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct lock_model *model;

bool
lm_queued(const struct lm_queue *lq, unsigned t)
{
	for (unsigned i = 0; i < lq->lq_n; i++) {
		if (lq->lq_td[i] == t)
			return (true);
	}
	return (false);
}

void
lm_enqueue(struct lm_queue *lq, unsigned t, bool again)
{
	if (again)
		memmove(lq->lq_td + 1, lq->lq_td, lq->lq_n);
	lq->lq_td[again ? 0 : lq->lq_n] = (uint8_t)t;
	lq->lq_n++;
}

void
lm_dequeue(struct lm_queue *lq, unsigned t)
{
	unsigned i = 0;

	while (lq->lq_td[i] != t)
		i++;
	lq->lq_n--;
	memmove(lq->lq_td + i, lq->lq_td + i + 1, lq->lq_n - i);
	lq->lq_td[lq->lq_n] = 0;
}

bool
lm_take_chain(struct lm_queue *lq, unsigned t)
{
	if (lq->lq_chain != 0)
		return (false);
	lq->lq_chain = (uint8_t)(t + 1);
	return (true);
}

void
lm_drop_chain(struct lm_queue *lq, unsigned t)
{
	if (lq->lq_chain == t + 1)
		lq->lq_chain = 0;
}

static const char *
walk(unsigned mutant, unsigned form)
{
	const char *wrong;
	size_t n;

	model->lm_set(mutant, form == PORTABLE);
	wrong = model_walk(&model->lm_walk, model->lm_first, &n);
	if (mutant == 0) {
		print_message("%s release: %zu states\n", mutant_form(form), n);
		assert_true(wrong != NULL || n > 1000);
	}
	return (wrong);
}

static void
protocol_holds_in_every_interleaving(void **state)
{
	const char *wrong;

	(void)state;
	for (unsigned form = PORTABLE; form <= SECTION; form <<= 1) {
		wrong = walk(0, form);
		if (wrong != NULL)
			fail_msg("%s", wrong);
	}
}

static void
every_mutant_is_caught(void **state)
{
	(void)state;
	mutants_are_caught(model->lm_mutants, model->lm_nmutants, walk);
}

int
lock_model_main(const struct lock_model *lm)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(protocol_holds_in_every_interleaving),
		cmocka_unit_test(every_mutant_is_caught),
	};

	model = lm;
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
