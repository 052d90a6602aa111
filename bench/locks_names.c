/* SPDX-License-Identifier: BSD-2-Clause */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench.h"
#include "locks.h"
#include "opt.h"
#include "peers/peers.h"

/* Both lists, one after the other; NULL behind the last. */
static const struct pv_lock_ops *
nth(size_t n)
{
	const struct pv_lock_ops *const *list = pv_lock_ops_list();

	for (; *list != NULL; list++) {
		if (n-- == 0)
			return (*list);
	}
	for (list = peers_list(); *list != NULL; list++) {
		if (n-- == 0)
			return (*list);
	}
	return (NULL);
}

static const struct pv_lock_ops *
find(const char *name)
{
	const struct pv_lock_ops *ops;

	for (size_t i = 0; (ops = nth(i)) != NULL; i++) {
		if (strcmp(ops->plo_name, name) == 0)
			break;
	}
	return (ops);
}

static void
add(const struct pv_lock_ops ***listp, size_t *np,
    const struct pv_lock_ops *ops)
{
	/* A reallocation each: there are a dozen. */
	const void *old = *listp;

	*listp =
	    bench_reallocarray((void *)(uintptr_t)old, *np + 1, sizeof(ops));
	(*listp)[(*np)++] = ops;
}

void
locks_add_backend(
    const struct pv_lock_ops ***listp, size_t *np, const char *name)
{
	for (size_t i = 0; i < *np; i++) {
		if (strcmp((*listp)[i]->plo_name, name) == 0)
			return;
	}
	add(listp, np, find(name));
}

static void
unknown(const char *name)
{
	const struct pv_lock_ops *ops;
	char **names = NULL, *all;
	size_t n;

	for (n = 0; (ops = nth(n)) != NULL; n++) {
		names = bench_reallocarray(names, n + 1, sizeof(names[0]));
		names[n] = bench_strdup(ops->plo_name);
	}
	all = bench_join(names, n, ", ");
	warnx("--backends: \"%s\": expected one of %s", name, all);
	free(all);
	while (n > 0)
		free(names[--n]);
	free(names);
}

int
locks_read_backends(
    const char *text, const struct pv_lock_ops ***listp, size_t *np)
{
	const struct pv_lock_ops *ops;
	char **list;
	size_t n;

	*listp = NULL;
	*np = 0;
	if (text == NULL) {
		for (size_t i = 0; (ops = nth(i)) != NULL; i++)
			add(listp, np, ops);
		return (0);
	}
	if (opt_list(text, &list, &n) != 0) {
		warnx(
		    "--backends: \"%s\": expected locks between commas", text);
		return (EX_USAGE);
	}
	for (size_t i = 0; i < n; i++) {
		if (find(list[i]) == NULL) {
			unknown(list[i]);
			free(list);
			return (EX_USAGE);
		}
		locks_add_backend(listp, np, list[i]);
	}
	free(list);
	return (0);
}
