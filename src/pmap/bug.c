/* SPDX-License-Identifier: BSD-2-Clause */
#include "pmap/bug.h"

#include <strings.h>

#include "pmap/pmap_var.h"

static const struct {
	const char *name;
	const char *text;
} bugs[NBUGS] = {
#define BUG_ROW(name, text) { #name, text },
	BUG_LIST(BUG_ROW)
#undef BUG_ROW
};

const char *
bug_name(enum bug b)
{
	return (bugs[b].name);
}

const char *
bug_text(enum bug b)
{
	return (bugs[b].text);
}

enum bug
bug_lookup(const char *name)
{
	unsigned b;

	for (b = 0; b < NBUGS; b++) {
		if (strcasecmp(bugs[b].name, name) == 0)
			break;
	}
	return ((enum bug)b);
}

void
test_point_set(struct machine *ma, test_point_fn *fn, void *arg)
{
	ma->ma_point_arg = arg;
	/* Release: pairs with test_point_call(); the argument is there. */
	atomic_store_explicit(&ma->ma_point, fn, memory_order_release);
}

void
test_point_call(struct machine *ma, enum test_point tp)
{
	/* Acquire: pairs with test_point_set(). */
	test_point_fn *fn =
	    atomic_load_explicit(&ma->ma_point, memory_order_acquire);

	if (__predict_false(fn != NULL))
		fn(ma, tp, ma->ma_point_arg);
}
