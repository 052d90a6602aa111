/* SPDX-License-Identifier: BSD-2-Clause */

/* Options of "locks" into series. */

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "locks.h"
#include "opt.h"

int
locks_read_word(const char *option, const char *text, const char *const *words,
    size_t n, unsigned *indexp)
{
	char *all;

	*indexp = 0;
	if (text == NULL)
		return (0);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, words[i]) == 0) {
			*indexp = (unsigned)i;
			return (0);
		}
	}
	all = bench_strdup(words[0]);
	for (size_t i = 1; i < n; i++) {
		char *more = bench_asprintf(
		    "%s%s%s", all, i + 1 < n ? ", " : " or ", words[i]);

		free(all);
		all = more;
	}
	warnx("--%s: \"%s\": expected %s", option, text, all);
	free(all);
	return (EX_USAGE);
}

/* "NS" or "NS-NS", up to a second. */
static int
read_range(const char *text, uint64_t *minp, uint64_t *maxp)
{
	const uint64_t second = 1000000000;
	const char *dash = strchr(text, '-');
	char *first;
	int error;

	if (dash == NULL) {
		error = opt_number(text, 0, second, maxp);
		*minp = *maxp;
	} else {
		first = bench_strdup(text);
		first[dash - text] = '\0';
		error = opt_number(first, 0, second, minp);
		free(first);
		if (error == 0)
			error = opt_number(dash + 1, *minp, second, maxp);
	}
	if (error == 0)
		return (0);
	warnx("--outside: \"%s\": expected nanoseconds up to 1000000000, "
	      "or a range of them",
	    text);
	return (EX_USAGE);
}

static int
read_inside(const char *text, struct locks_load *ll)
{
	ll->ll_inside = text;
	ll->ll_increments = 1;
	ll->ll_outside_min_ns = 0;
	if (strcmp(text, "short") == 0) {
		ll->ll_increments = 4;
		ll->ll_inside_ns = 0;
		ll->ll_outside_max_ns = 96;
		return (0);
	}
	if (strcmp(text, "medium") == 0)
		ll->ll_inside_ns = 600;
	else if (opt_number(text, 0, 1000000000, &ll->ll_inside_ns) != 0) {
		warnx("--inside: \"%s\": expected short, medium or nanoseconds "
		      "up to 1000000000",
		    text);
		return (EX_USAGE);
	}
	ll->ll_outside_max_ns = 2 * ll->ll_inside_ns;
	return (0);
}

/* What all series have in common. */
static int
read_common(const struct locks *lk, struct locks_load *ll)
{
	static const char *const picks[] = { "random", "fixed" };
	static const char *const spacings[] = { "packed", "line" };
	static const char *const priorities[] = { "none", "sim", "fifo" };
	unsigned i;

	if (locks_read_word("pick", lk->lk_pick_text, picks, 2, &i) != 0)
		return (EX_USAGE);
	ll->ll_random = i == 0 && lk->lk_nlocks > 1;
	if (locks_read_word("spacing", lk->lk_spacing_text, spacings, 2, &i) !=
	    0)
		return (EX_USAGE);
	ll->ll_line = i == 1;
	if (locks_read_word(
		"priority", lk->lk_priority_text, priorities, 3, &i) != 0)
		return (EX_USAGE);
	ll->ll_priority = (enum locks_priority)i;
	ll->ll_kind = LOCKS_LOAD;
	ll->ll_nlocks = lk->lk_nlocks;
	ll->ll_readers = lk->lk_readers;
	ll->ll_ops = lk->lk_ops;
	ll->ll_window_ns = lk->lk_window_ns;
	return (0);
}

/* The lists that are multiplied into series. */
struct axes {
	char **a_threads;
	char **a_pins;
	char **a_insides;
	size_t a_nthreads;
	size_t a_npins;
	size_t a_ninsides;
};

static int
add_series(struct locks *lk, const struct locks_load *common,
    const char *threads, const char *pin, const char *inside)
{
	struct locks_load *ll = &lk->lk_series[lk->lk_nseries];
	uint64_t v;

	*ll = *common;
	if (opt_number(threads, 1, LOCKS_THREADS_MAX, &v) != 0) {
		warnx("--threads: \"%s\": expected a number from 1 to %d",
		    threads, LOCKS_THREADS_MAX);
		return (EX_USAGE);
	}
	ll->ll_threads = (unsigned)v;
	ll->ll_pin = ll->ll_threads > host_ncpus() ? PIN_NONE : PIN_SMT_LAST;
	if (pin != NULL && pin_order_parse(pin, &ll->ll_pin) != 0) {
		warnx("--pin: \"%s\": expected compact, scatter, core, "
		      "smt-last or none",
		    pin);
		return (EX_USAGE);
	}
	if (read_inside(inside, ll) != 0)
		return (EX_USAGE);
	if (lk->lk_outside_text != NULL &&
	    read_range(lk->lk_outside_text, &ll->ll_outside_min_ns,
		&ll->ll_outside_max_ns) != 0)
		return (EX_USAGE);
	lk->lk_nseries++;
	return (0);
}

static int
multiply(struct locks *lk, const struct axes *a)
{
	struct locks_load common = { .ll_nlocks = 1 };
	int error;

	lk->lk_series =
	    bench_calloc(1 + a->a_nthreads * (a->a_npins + 1) * a->a_ninsides,
		sizeof(lk->lk_series[0]));
	/* What a pair costs comes first, whatever the load. */
	lk->lk_series[lk->lk_nseries++] = (struct locks_load){
		.ll_kind = LOCKS_PAIR,
		.ll_threads = 1,
		.ll_pin = PIN_SMT_LAST,
		.ll_nlocks = 1,
		.ll_inside = "nothing",
	};
	error = read_common(lk, &common);
	for (size_t t = 0; t < a->a_nthreads; t++) {
		for (size_t i = 0; i < a->a_ninsides; i++) {
			size_t p = 0;

			do {
				if (error == 0)
					error = add_series(lk, &common,
					    a->a_threads[t],
					    a->a_npins > 0 ? a->a_pins[p]
							   : NULL,
					    a->a_insides[i]);
			} while (++p < a->a_npins);
		}
	}
	return (error);
}

static int
read_list(const char *option, const char *text, char ***listp, size_t *np)
{
	if (text == NULL || opt_list(text, listp, np) == 0)
		return (0);
	warnx("--%s: \"%s\": expected values between commas", option, text);
	return (EX_USAGE);
}

int
locks_read_series(struct locks *lk)
{
	struct axes a = { .a_threads = NULL };
	char threads[32];
	int error;

	(void)snprintf(threads, sizeof(threads), "2,%u", 2 * host_ncpus());
	error = read_list("threads",
	    lk->lk_threads_text != NULL ? lk->lk_threads_text : threads,
	    &a.a_threads, &a.a_nthreads);
	if (error == 0)
		error =
		    read_list("pin", lk->lk_pin_text, &a.a_pins, &a.a_npins);
	if (error == 0)
		error = read_list("inside",
		    lk->lk_inside_text != NULL ? lk->lk_inside_text : "short",
		    &a.a_insides, &a.a_ninsides);
	if (error == 0)
		error = multiply(lk, &a);
	/* What --inside is called is printed: the list stays. */
	free(a.a_threads);
	free(a.a_pins);
	lk->lk_insides = a.a_insides;
	return (error);
}
