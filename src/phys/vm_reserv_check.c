/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checker of reservations: invariants 38, 39 and 43 (see vm_reserv.c), and
 * what the reservations have free, for 36.
 *
 * An object's list is found from its reservations: whatever has no predecessor
 * is at the head, and all heads lie at the beginning of their objects.  So each
 * reservation is on the list of its object, and an object has one list.  That
 * an object without reservations has an empty list is checked from the object's
 * side, with vm_reserv_check_object().
 *
 * O(pages of reservations that were ever used), no locks: nobody else may be
 * using the machine.
 */

#include <stdarg.h>
#include <stdio.h>

#include "kern/check_report.h"
#include "phys/vm_reserv_impl.h"

struct check {
	struct vm_phys *c_vp;
	struct check_report c_report;
};

__attribute__((format(printf, 4, 5))) static void
violation(
    struct check *c, int inv, const struct vm_reserv *rv, const char *fmt, ...)
{
	char where[40];
	va_list ap;

	(void)snprintf(where, sizeof(where), "reservation %#jx: ",
	    (uintmax_t)(((uint64_t)(rv - c->c_vp->vp_reserv) +
			    (c->c_vp->vp_first_page >> VM_LEVEL_0_ORDER))
		<< PDRSHIFT));
	va_start(ap, fmt);
	check_vbad(&c->c_report, inv, where, fmt, ap);
	va_end(ap);
}

static unsigned
count_bits(const struct vm_reserv *rv)
{
	unsigned n = 0;

	for (unsigned i = 0; i < VM_LEVEL_0_NPAGES / 64; i++)
		n += (unsigned)__builtin_popcountll(rv->popmap[i]);
	return (n);
}

static bool
is_locked(const struct mtx *mtx)
{
	/* Relaxed: nobody changes it now. */
	return (atomic_load_explicit(&mtx->mtx_lock, memory_order_relaxed) !=
	    MTX_UNOWNED);
}

/* 38: a page that is handed out. */
static void
check_used_page(struct check *c, const struct vm_reserv *rv, unsigned i)
{
	const struct vm_page *m = &rv->pages[i];

	if (m->order_inv != 0 || (m->flags & PG_FREED) != 0) {
		violation(c, 38, rv, "slot %u is handed out, its page free", i);
	} else if (m->object == vm_reserv_object(rv) &&
	    m->pindex != rv->pindex + i) {
		violation(c, 38, rv, "slot %u has index %ju, its page %ju", i,
		    (uintmax_t)(rv->pindex + i), (uintmax_t)m->pindex);
	}
}

/* 38: a page that is not. */
static void
check_free_page(struct check *c, const struct vm_reserv *rv, unsigned i)
{
	const struct vm_page *m = &rv->pages[i];

	if (m->order_inv != 0)
		violation(
		    c, 38, rv, "slot %u is not handed out, and queued", i);
	if (m->object != NULL || m->md.pv_list.pvl_first != NULL ||
	    /* Relaxed: nobody changes it now. */
	    atomic_load_explicit(&m->ref_count, memory_order_relaxed) != 0)
		violation(
		    c, 38, rv, "slot %u is not handed out, and in use", i);
}

/* 38: one with an object. */
static void
check_active(struct check *c, const struct vm_reserv *rv)
{
	bool full = vm_reserv_popcnt(rv) == VM_LEVEL_0_NPAGES;

	if ((rv->pages->psind == 1) != full)
		violation(c, 38, rv, "%u pages handed out, psind %u",
		    vm_reserv_popcnt(rv), rv->pages->psind);
	for (unsigned i = 0; i < VM_LEVEL_0_NPAGES; i++) {
		if (vm_reserv_populated(rv, i))
			check_used_page(c, rv, i);
		else
			check_free_page(c, rv, i);
	}
}

/* 39: the list that rv is on, as far as its neighbours. */
static void
check_objq(struct check *c, struct vm_reserv *rv)
{
	struct vm_object *object = vm_reserv_object(rv);
	const struct vm_reserv *next = rv->objq_next;

	if (object == NULL) {
		if (rv->objq_next != NULL || rv->objq_prevp != NULL)
			violation(c, 39, rv, "no object, but on a list");
		return;
	}
	if (rv->objq_prevp == NULL || *rv->objq_prevp != rv ||
	    (next != NULL &&
		(next->objq_prevp != &rv->objq_next ||
		    vm_reserv_object(next) != object))) {
		violation(c, 39, rv, "bad link on the list of object %p",
		    (void *)object);
		return;
	}
	if (((char *)rv->objq_prevp < (char *)c->c_vp->vp_reserv ||
		(char *)rv->objq_prevp >= (char *)c->c_vp->vp_reserv +
			c->c_vp->vp_reservs->rvs_size) &&
	    rv->objq_prevp != &vm_reserv_head(object)->rvh_first)
		violation(c, 39, rv, "on a list that is not of object %p",
		    (void *)object);
}

static void
check_reserv(struct check *c, struct vm_reserv *rv)
{
	unsigned bits = count_bits(rv), popcnt = vm_reserv_popcnt(rv);
	struct vm_object *object = vm_reserv_object(rv);

	if (is_locked(&rv->lock))
		violation(c, 43, rv, "locked");
	check_objq(c, rv);
	/* See vm_reserv_assume(). */
	if (object == NULL && bits == 0 && popcnt == VM_LEVEL_0_NPAGES)
		return;
	if (popcnt != bits)
		violation(
		    c, 38, rv, "%u pages counted, %u in the map", popcnt, bits);
	if ((object != NULL) != (bits > 0))
		violation(c, 38, rv, "object %p, %u pages handed out",
		    (void *)object, bits);
	if (rv->inpartpopq && (bits == 0 || bits == VM_LEVEL_0_NPAGES))
		violation(
		    c, 38, rv, "on the queue with %u pages handed out", bits);
	if (object != NULL)
		check_active(c, rv);
}

/* 38: a domain's queue; 43: its locks. */
static void
check_domain(struct check *c, int domain)
{
	struct vm_reserv_domain *rvd =
	    &c->c_vp->vp_reservs->rvs_domains[domain];
	const struct vm_reserv *prev = NULL, *rv;
	uint64_t flagged = 0, n = 0;

	if (is_locked(&rvd->rvd_lock) || is_locked(&rvd->rvd_marker.lock))
		check_bad(&c->c_report, 43,
		    "domain %d: reservations are locked", domain);
	for (uint64_t i = 0; (rv = vm_reserv_next_used(c->c_vp, &i)) != NULL;
	     i++) {
		if (rv->domain == domain && rv->inpartpopq)
			flagged++;
	}
	for (rv = rvd->rvd_first; rv != NULL && n <= flagged;
	     prev = rv, rv = rv->partpopq_next, n++) {
		if (rv == &rvd->rvd_marker) {
			check_bad(&c->c_report, 38,
			    "domain %d: a marker was left on the queue",
			    domain);
			return;
		}
		if (!rv->inpartpopq || rv->partpopq_prev != prev ||
		    rv->domain != domain)
			violation(c, 38, rv,
			    "on the queue of domain %d, and knows nothing of it",
			    domain);
	}
	if (n != flagged || rvd->rvd_last != prev)
		check_bad(&c->c_report, 38,
		    "domain %d: %ju reservations on the queue, %ju say so",
		    domain, (uintmax_t)n, (uintmax_t)flagged);
}

unsigned
vm_reserv_check(struct vm_phys *vp,
    void (*fn)(void *arg, int inv, const char *text), void *arg)
{
	struct check c = { .c_vp = vp,
		.c_report = { .cr_fn = fn, .cr_arg = arg } };
	struct vm_reserv *rv;

	for (uint64_t i = 0; (rv = vm_reserv_next_used(vp, &i)) != NULL; i++)
		check_reserv(&c, rv);
	for (int d = 0; d < vp->vp_ndomains; d++)
		check_domain(&c, d);
	for (unsigned i = 0; i < RESERV_OBJ_LOCKS; i++) {
		if (is_locked(&vp->vp_reservs->rvs_obj_locks[i].mtx))
			check_bad(
			    &c.c_report, 43, "lock %u of objects is locked", i);
	}
	return (c.c_report.cr_n);
}

uint64_t
vm_reserv_free_slots(struct vm_phys *vp, int domain)
{
	const struct vm_reserv *rv;
	uint64_t n = 0;

	for (uint64_t i = 0; (rv = vm_reserv_next_used(vp, &i)) != NULL; i++) {
		if (rv->domain == domain && vm_reserv_object(rv) != NULL)
			n += VM_LEVEL_0_NPAGES - count_bits(rv);
	}
	return (n);
}

unsigned
vm_reserv_check_object(struct vm_phys *vp, struct vm_object *object,
    void (*fn)(void *arg, const char *text), void *arg)
{
	const struct vm_reserv *rv;
	uint64_t foreign = 0, n = 0, owned = 0;
	char text[160];

	for (uint64_t i = 0; (rv = vm_reserv_next_used(vp, &i)) != NULL; i++)
		owned += vm_reserv_object(rv) == object;
	for (rv = vm_reserv_head(object)->rvh_first; rv != NULL && n <= owned;
	     rv = rv->objq_next, n++)
		foreign += vm_reserv_object(rv) != object;
	if (n == owned && foreign == 0)
		return (0);
	(void)snprintf(text, sizeof(text),
	    "object %p: %ju reservations, %ju on its list, %ju of others",
	    (void *)object, (uintmax_t)owned, (uintmax_t)n, (uintmax_t)foreign);
	fn(arg, text);
	return (1);
}
