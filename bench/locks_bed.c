/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kern/kassert.h"
#include "lock/lock.h"
#include "locks.h"
#include "osstat.h"
#include "pmap/pv_table.h"

#define HUGE_SIZE ((size_t)2 << 20)

int
locks_bed_create(unsigned ncpus, struct locks_bed *lb)
{
	int error;

	lb->lb_sim = NULL;
	error = kmem_create(1, &lb->lb_kmem);
	if (error != 0)
		return (error);
	error = sim_create(lb->lb_kmem, &sim_real_ops, ncpus, &lb->lb_sim);
	if (error == 0) {
		error = lock_env_create(lb->lb_sim, false);
		if (error == 0)
			return (0);
		sim_destroy(lb->lb_sim);
	}
	(void)kmem_destroy(lb->lb_kmem, NULL);
	return (error);
}

void
locks_bed_destroy(struct locks_bed *lb)
{
	lock_env_destroy(lb->lb_sim);
	sim_destroy(lb->lb_sim);
	(void)kmem_destroy(lb->lb_kmem, stderr);
}

int
locks_bed_attach(
    struct locks_bed *lb, unsigned cpu, int pri, struct thread **tdp)
{
	struct thread *td;
	int error;

	error = sim_thread_attach(lb->lb_sim, cpu, 0, &td);
	if (error != 0)
		return (error);
	td->td_pri = pri;
	error = lock_thread_attach(td);
	if (error != 0) {
		sim_thread_detach(td);
		return (error);
	}
	*tdp = td;
	return (0);
}

void
locks_bed_detach(struct thread *td)
{
	lock_thread_detach(td);
	sim_thread_detach(td);
}

static void *
word_at(const struct locks_array *la, unsigned i)
{
	return (la->la_base + i * la->la_stride + la->la_word_off);
}

int
locks_array_create(struct locks_array *la, const struct pv_lock_ops *ops,
    unsigned n, bool line)
{
	size_t md_off = (ops->plo_size + 7) / 8 * 8, size, stride;
	int error;

	stride = pv_header_bytes(ops);
	if (line)
		stride = (stride + CACHE_PAIR_SIZE - 1) / CACHE_PAIR_SIZE *
		    CACHE_PAIR_SIZE;
	size = (n * stride + HUGE_SIZE - 1) / HUGE_SIZE * HUGE_SIZE;
	*la = (struct locks_array){
		.la_ops = ops,
		.la_stride = stride,
		.la_count_off = md_off,
		.la_gen_off = md_off + offsetof(struct md_page, pv_gen),
		.la_n = n,
	};
	if (ops->plo_size == 0)
		la->la_word_off = la->la_gen_off;
	la->la_base = aligned_alloc(HUGE_SIZE, size);
	if (la->la_base == NULL)
		return (ENOMEM);
	osstat_want_huge(la->la_base, size);
	memset(la->la_base, 0, n * stride);
	if (ops->plo_init == NULL)
		return (0);
	for (; la->la_made < n; la->la_made++) {
		error = ops->plo_init(word_at(la, la->la_made));
		if (error != 0) {
			locks_array_destroy(la);
			return (error);
		}
	}
	return (0);
}

void
locks_array_destroy(struct locks_array *la)
{
	unsigned n = la->la_ops->plo_init != NULL ? la->la_made : la->la_n;

	for (unsigned i = 0; la->la_ops->plo_destroy != NULL && i < n; i++)
		la->la_ops->plo_destroy(word_at(la, i));
	free(la->la_base);
	la->la_base = NULL;
}

uint64_t
locks_array_count(const struct locks_array *la)
{
	uint64_t sum = 0, v;

	for (unsigned i = 0; i < la->la_n; i++) {
		memcpy(&v, la->la_base + i * la->la_stride + la->la_count_off,
		    sizeof(v));
		sum += v;
	}
	return (sum);
}
