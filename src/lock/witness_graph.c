/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The graph of the witness: classes of locks and the orders seen and given.  What
 * it is for, and its invariants: witness.c.
 */

#include <string.h>

#include "kern/kassert.h"
#include "lock/witness_impl.h"

int
witness_class(struct witness *w, const char *name)
{
	for (int c = 0; c < w->w_nclasses; c++) {
		if (strcmp(w->w_names[c], name) == 0)
			return (c);
	}
	if (w->w_nclasses == WITNESS_CLASSES_MAX)
		return (NOCLASS);
	w->w_names[w->w_nclasses] = name;
	return (w->w_nclasses++);
}

/* (l) */
static void
graph_add(struct witness *w, int a, int c)
{
	uint64_t below = BIT(c) | w->w_reach[c];

	KASSERT(a != c && (w->w_reach[c] & BIT(a)) == 0,
	    ("lock order %s before %s closes a cycle", w->w_names[a],
		w->w_names[c]));
	w->w_after[a] |= BIT(c);
	for (int x = 0; x < w->w_nclasses; x++) {
		if (x == a || (w->w_reach[x] & BIT(a)) != 0)
			w->w_reach[x] |= below;
	}
}

void
witness_load_order(struct witness *w, const struct witness_order *wo)
{
	const char *const *name;
	int a, c;

	for (name = wo->wo_chains; *name != NULL; name++) {
		a = witness_class(w, *name);
		for (name++; *name != NULL; name++) {
			c = witness_class(w, *name);
			KASSERT(a != NOCLASS && c != NOCLASS,
			    ("more than %d lock classes are given",
				WITNESS_CLASSES_MAX));
			graph_add(w, a, c);
			a = c;
		}
	}
	for (const struct witness_rule *wu = wo->wo_rules; wu->wu_name != NULL;
	     wu++) {
		c = witness_class(w, wu->wu_name);
		if ((wu->wu_flags & WITNESS_LEAF_CLASS) != 0)
			w->w_leaf |= BIT(c);
		if ((wu->wu_flags & WITNESS_ALONE) != 0)
			w->w_alone |= BIT(c);
	}
	memcpy(w->w_given, w->w_reach, sizeof(w->w_given));
}

enum witness_kind
witness_judge(const struct witness *w, const struct witness_lock *held,
    const struct witness_lock *wl)
{
	int a = held->wl_class, c = wl->wl_class;

	if ((wl->wl_how & LOP_TRY) != 0) {
		if ((w->w_leaf & BIT(a)) != 0)
			return (WITNESS_LEAF);
		if (a == c && (w->w_alone & BIT(a)) != 0)
			return (WITNESS_DUPLICATE);
		return (NWITNESS_KINDS);
	}
	if (held->wl_place.wp_key == wl->wl_place.wp_key)
		return (((held->wl_how | wl->wl_how) & LOP_EXCLUSIVE) != 0
			? WITNESS_SELF
			: NWITNESS_KINDS);
	if (a == c)
		return (
		    held->wl_dupok && wl->wl_dupok && (w->w_alone & BIT(a)) == 0
			? NWITNESS_KINDS
			: WITNESS_DUPLICATE);
	if ((w->w_leaf & BIT(a)) != 0)
		return (WITNESS_LEAF);
	if (waiting_rank(held->wl_place.wp_class) >
	    waiting_rank(wl->wl_place.wp_class))
		return (WITNESS_SLEEP);
	if ((w->w_reach[c] & BIT(a)) != 0)
		return (WITNESS_REVERSAL);
	return (NWITNESS_KINDS);
}

/* Where the edge was seen first; only names if it was given.  (l) */
static void
fill_step(const struct witness *w, int a, int c, struct witness_step *ws)
{
	for (unsigned i = 0; i < w->w_nedges; i++) {
		if (w->w_edges[i].e_outer == a && w->w_edges[i].e_inner == c) {
			*ws = w->w_edges[i].e_first;
			return;
		}
	}
	*ws = (struct witness_step){
		.ws_outer = { .wp_name = w->w_names[a] },
		.ws_inner = { .wp_name = w->w_names[c] },
	};
}

/* The shortest way there is. */
void
witness_path(
    const struct witness *w, int from, int to, struct witness_report *wr)
{
	int next[WITNESS_CLASSES_MAX], queue[WITNESS_CLASSES_MAX];
	int head = 0, tail = 0;
	uint64_t reached = BIT(to);
	int x;

	/* Backwards, so that next[] leads forwards. */
	queue[tail++] = to;
	while (head < tail && (reached & BIT(from)) == 0) {
		x = queue[head++];
		for (int y = 0; y < w->w_nclasses; y++) {
			if ((w->w_after[y] & BIT(x)) == 0 ||
			    (reached & BIT(y)) != 0)
				continue;
			reached |= BIT(y);
			next[y] = x;
			queue[tail++] = y;
		}
	}
	for (x = from; x != to; x = next[x]) {
		if (wr->wr_nsteps < WITNESS_STEPS_MAX)
			fill_step(w, x, next[x], &wr->wr_steps[wr->wr_nsteps]);
		wr->wr_nsteps++;
	}
}

bool
witness_edge_add(struct witness *w, const struct witness_lock *held,
    const struct witness_lock *wl)
{
	if ((w->w_after[held->wl_class] & BIT(wl->wl_class)) == 0)
		graph_add(w, held->wl_class, wl->wl_class);
	if (w->w_nedges == WITNESS_EDGES_MAX)
		return (false);
	w->w_edges[w->w_nedges].e_outer = held->wl_class;
	w->w_edges[w->w_nedges].e_inner = wl->wl_class;
	w->w_edges[w->w_nedges].e_first.ws_outer = held->wl_place;
	w->w_edges[w->w_nedges].e_first.ws_inner = wl->wl_place;
	w->w_nedges++;
	return (true);
}

void
witness_foreach_edge(struct sim *sim,
    void (*fn)(void *arg, const struct witness_edge *we), void *arg)
{
	struct witness *w = witness_of(sim);
	struct witness_edge we;
	unsigned n;
	int a, c;

	if (w == NULL)
		return;
	for (unsigned i = 0;; i++) {
		leaf_lock(&w->w_lock, sim);
		n = w->w_nedges;
		if (i < n) {
			a = w->w_edges[i].e_outer;
			c = w->w_edges[i].e_inner;
			we.we_first = w->w_edges[i].e_first;
			we.we_given = (w->w_given[a] & BIT(c)) != 0;
		}
		leaf_unlock(&w->w_lock);
		if (i >= n)
			break;
		fn(arg, &we);
	}
}
