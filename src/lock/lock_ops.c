/* SPDX-License-Identifier: BSD-2-Clause */

/* Which pv list locks there are, and what makes a table of one acceptable. */

#include <errno.h>
#include <string.h>

#include "lock/pv_backends.h"

#define PV_LOCK_ALIGN_MAX 64

#ifdef PMAPSIM_VIRTUAL
#define HOST_LOCKS false
#else
#define HOST_LOCKS true
#endif

static const struct pv_lock_ops *const backends[] = {
	&pv_lock_rwlock,
#ifndef PMAPSIM_VIRTUAL
	&pv_lock_pthread_mutex,
#ifdef PV_HAVE_PTHREAD_ADAPTIVE
	&pv_lock_pthread_adaptive,
#endif
	&pv_lock_pthread_pi,
#endif
	&pv_lock_mtx8,
	&pv_lock_gen2,
	&pv_lock_gen1,
#ifdef PMAPSIM_HAVE_CK
	&pv_lock_ck_fas,
	&pv_lock_ck_ticket,
	&pv_lock_ck_mcs,
	&pv_lock_ck_clh,
	&pv_lock_ck_anderson,
#endif
	&pv_lock_none,
	NULL,
};

const struct pv_lock_ops *const *
pv_lock_ops_list(void)
{
	return (backends);
}

const struct pv_lock_ops *
pv_lock_ops_lookup(const char *name)
{
	for (size_t i = 0; backends[i] != NULL; i++) {
		if (strcmp(backends[i]->plo_name, name) == 0)
			return (backends[i]);
	}
	return (NULL);
}

bool
pv_lock_is_real_only(const char *name)
{
	return (!HOST_LOCKS &&
	    (strncmp(name, "pthread_", 8) == 0 ||
		strncmp(name, "ck_", 3) == 0));
}

/* [a-z][a-z0-9_]*, whatever the locale. */
static bool
name_is_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

	return (name != NULL && name[0] != '\0' &&
	    strchr(letters, name[0]) != NULL &&
	    name[strspn(name, all)] == '\0');
}

/* NULL, or what is wrong. */
static const char *
complaint(const struct pv_lock_ops *ops)
{
	size_t align = ops->plo_align == 0 ? 8 : ops->plo_align;
	bool nolock = (ops->plo_flags & PLO_NOLOCK) != 0;
	int nshared;

	if (!name_is_valid(ops->plo_name))
		return ("plo_name is not of the form [a-z][a-z0-9_]*");
	if (ops->plo_descr == NULL)
		return ("plo_descr is missing");
	if (ops->plo_size > PV_LOCK_WORD_MAX)
		return ("plo_size is larger than PV_LOCK_WORD_MAX");
	if (ops->plo_size % 4 != 0)
		return ("plo_size is not a multiple of 4");
	if ((align & (align - 1)) != 0 || align > PV_LOCK_ALIGN_MAX)
		return ("plo_align is not a power of two up to 64");
	if (ops->plo_gen_bits > 2)
		return ("plo_gen_bits is larger than 2");
	if (ops->plo_size > 0 && ops->plo_gen_bits > 0)
		return ("the lock has a word and bits of the generation");
	if (ops->plo_size == 0 && ops->plo_gen_bits == 0 && !nolock)
		return (
		    "the lock has neither a word nor bits of the generation");
	if (ops->plo_lock == NULL || ops->plo_trylock == NULL ||
	    ops->plo_unlock == NULL)
		return ("plo_lock, plo_trylock or plo_unlock is missing");
	if ((ops->plo_flags & PLO_ZEROINIT) == 0 && ops->plo_init == NULL)
		return ("plo_init is missing and PLO_ZEROINIT is not set");
	nshared = (ops->plo_rlock != NULL) + (ops->plo_tryrlock != NULL) +
	    (ops->plo_runlock != NULL);
	if (nshared != 0 && nshared != 3)
		return ("the shared mode is not complete");
	return (NULL);
}

int
pv_lock_ops_check(const struct pv_lock_ops *ops, const char **whyp)
{
	const char *why = complaint(ops);

	if (why == NULL)
		return (0);
	*whyp = why;
	return (EINVAL);
}
