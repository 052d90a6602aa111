/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A radix tree of pages, 16 children a node, four bits of the index a level.
 *
 * Levels at which all pages agree are left out: a node says at which shift its
 * children differ and what the bits above are.  So a tree of one page has no node,
 * an insertion makes one node at most, and every node has two children or more.
 * That is what failure looks like: an insertion that needs a node and gets none
 * leaves the tree as it was; a removal needs no memory.
 *
 * A child is 0, a node, or a page with the low bit set.  Nodes come from the
 * machine's own memory, not from simulated pages, so that a shortage of those
 * does not fail an insertion.
 *
 * Source: FreeBSD main (2024), sys/vm/vm_radix.c, which is a path-compressed tree
 * of the same width; written anew.
 */

#include "pmap/vm_radix.h"

#include <errno.h>

#include "kern/kassert.h"

#define RADIX_WIDTH 4
#define RADIX_COUNT (1 << RADIX_WIDTH)
#define RADIX_PAGE  ((uintptr_t)1) /* marks a page among the children */

struct vm_radix_node {
	vm_pindex_t rn_owner; /* bits above the children's, the others 0 */
	uint16_t rn_count;    /* children, at least 2 */
	uint16_t rn_shift;    /* of the four bits that choose a child */
	uintptr_t rn_child[RADIX_COUNT];
};

static bool
is_page(uintptr_t p)
{
	return ((p & RADIX_PAGE) != 0);
}

static struct vm_page *
to_page(uintptr_t p)
{
	return ((struct vm_page *)(p & ~RADIX_PAGE));
}

static unsigned
slot_of(unsigned shift, vm_pindex_t index)
{
	return ((unsigned)(index >> shift) & (RADIX_COUNT - 1));
}

/* What index has above the bits at shift. */
static vm_pindex_t
owner_of(unsigned shift, vm_pindex_t index)
{
	return (index >> (shift + RADIX_WIDTH) << (shift + RADIX_WIDTH));
}

static bool
is_below(const struct vm_radix_node *rn, vm_pindex_t index)
{
	return (owner_of(rn->rn_shift, index) == rn->rn_owner);
}

/* Put a node where *p is, whose children are *p, of index other, and m. */
static int
split(uintptr_t *p, vm_pindex_t other, struct kmem *km, struct vm_page *m)
{
	struct vm_radix_node *rn;
	unsigned shift;

	KASSERT(other != m->pindex,
	    ("radix tree has page %#jx", (uintmax_t)m->pindex));
	rn = kmem_alloc(km, sizeof(*rn), 0, M_PMAP, KMEM_ANYDOMAIN);
	if (rn == NULL)
		return (ENOMEM);
	/* The highest four bits in which they differ. */
	shift = (63 - (unsigned)__builtin_clzll(other ^ m->pindex)) &
	    ~(RADIX_WIDTH - 1u);
	rn->rn_shift = (uint16_t)shift;
	rn->rn_owner = owner_of(shift, m->pindex);
	rn->rn_count = 2;
	rn->rn_child[slot_of(shift, other)] = *p;
	rn->rn_child[slot_of(shift, m->pindex)] = (uintptr_t)m | RADIX_PAGE;
	*p = (uintptr_t)rn;
	return (0);
}

int
vm_radix_insert(struct vm_radix *rt, struct kmem *km, struct vm_page *m)
{
	struct vm_radix_node *rn;
	uintptr_t *p = &rt->rt_root;

	while (*p != 0) {
		if (is_page(*p))
			return (split(p, to_page(*p)->pindex, km, m));
		rn = (struct vm_radix_node *)*p;
		if (!is_below(rn, m->pindex))
			return (split(p, rn->rn_owner, km, m));
		p = &rn->rn_child[slot_of(rn->rn_shift, m->pindex)];
		if (*p == 0)
			rn->rn_count++;
	}
	*p = (uintptr_t)m | RADIX_PAGE;
	return (0);
}

struct vm_page *
vm_radix_lookup(const struct vm_radix *rt, vm_pindex_t index)
{
	const struct vm_radix_node *rn;
	uintptr_t p = rt->rt_root;

	while (p != 0 && !is_page(p)) {
		rn = (const struct vm_radix_node *)p;
		if (!is_below(rn, index))
			return (NULL);
		p = rn->rn_child[slot_of(rn->rn_shift, index)];
	}
	return (p != 0 && to_page(p)->pindex == index ? to_page(p) : NULL);
}

/* One child is left: it takes its node's place in *p. */
static void
merge(uintptr_t *p, struct vm_radix_node *rn, struct kmem *km)
{
	unsigned i;

	for (i = 0; rn->rn_child[i] == 0; i++)
		KASSERT(i < RADIX_COUNT - 1, ("radix node has no child"));
	*p = rn->rn_child[i];
	kmem_free(km, rn, sizeof(*rn), M_PMAP, KMEM_ANYDOMAIN);
}

struct vm_page *
vm_radix_remove(struct vm_radix *rt, struct kmem *km, vm_pindex_t index)
{
	struct vm_radix_node *rn = NULL;
	struct vm_page *m;
	uintptr_t *p = &rt->rt_root, *parent = NULL;

	while (*p != 0 && !is_page(*p)) {
		parent = p;
		rn = (struct vm_radix_node *)*p;
		if (!is_below(rn, index))
			return (NULL);
		p = &rn->rn_child[slot_of(rn->rn_shift, index)];
	}
	if (*p == 0 || to_page(*p)->pindex != index)
		return (NULL);
	m = to_page(*p);
	*p = 0;
	if (rn != NULL && --rn->rn_count == 1)
		merge(parent, rn, km);
	return (m);
}

static void
radix_walk(uintptr_t p, void (*fn)(void *arg, struct vm_page *m), void *arg)
{
	const struct vm_radix_node *rn;
	unsigned i;

	if (is_page(p)) {
		fn(arg, to_page(p));
	} else if (p != 0) {
		rn = (const struct vm_radix_node *)p;
		for (i = 0; i < RADIX_COUNT; i++)
			radix_walk(rn->rn_child[i], fn, arg);
	}
}

void
vm_radix_foreach(const struct vm_radix *rt,
    void (*fn)(void *arg, struct vm_page *m), void *arg)
{
	radix_walk(rt->rt_root, fn, arg);
}
