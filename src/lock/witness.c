/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The witness.
 *
 * Why.  A deadlock needs two threads at the wrong places at the same time, and
 * rarely happens in a test.  That one thread takes B after A and another, an hour
 * earlier, took A after B is enough to know that it can.
 *
 * The idea.  Locks of one name are one class: what is wrong for two pmaps is
 * wrong for all.  Classes are the nodes of a graph, and an edge A -> C says that
 * some thread wanted C while it held A.  Each acquisition adds the edges from all
 * locks that the thread holds, or is reported if an edge would close a cycle.
 * The graph starts with the order given, so that a reversal is told from the
 * first time and not only once both directions have been seen.
 *
 *	w_after[a]	edges: classes wanted under a, or given as inner to a
 *	w_reach[a]	the same, through any number of edges
 *	w_known[a]	classes of which (a, c) was judged before
 *
 * A row is one word, a bit for each class.  So the judgement is one test of a
 * bit, w_reach[c] has a; and the usual acquisition, of pairs all seen before, is
 * one relaxed load for each lock held and takes no lock.
 *
 * Invariants.
 *   1. The graph has no cycle: an edge that would close one is reported and not
 *	added.  Given edges come first, so the given order always wins.
 *   2. w_reach is the transitive closure of w_after.
 *   3. (a, c) is judged by what does not change: the classes' names, flags and
 *	kinds, and the graph, which only grows.  The first judgement stands.  The
 *	edge of a reversal stays out, so it is told only once.
 *   4. A class, once in the table, keeps its place as long as the sim lives.
 *
 * What is judged, before the thread may block:
 *
 *	wanted, and held		judgement
 *	the lock itself			SELF, unless shared both times
 *	another of its class		DUPLICATE, unless both are LO_DUPOK
 *	a leaf				LEAF
 *	sx under mutex or rwlock,
 *	anything but spin under spin	SLEEP
 *	c, where c reaches a		REVERSAL
 *
 * A trylock does not wait, so it closes no cycle: it makes no edge and breaks no
 * order, only the rules for leaves and for classes that are held alone.  What it
 * got is held like any other lock, and edges start from it.
 *
 * Lock order.  w_lock is a leaf.  The reporter is called without it.
 *
 * Not provided.  Spin locks inside the locks themselves (leaf_lock.h) are not
 * watched.  Recursion is not seen: locks keep it to themselves.  Two locks of a
 * LO_DUPOK class have no order here.
 *
 * Limits.  WITNESS_CLASSES_MAX names, since a row is a word; the model has some
 * 25.  Classes beyond that, and locks without a name, are held but not judged.
 *
 * Source: FreeBSD releng/12.1, sys/kern/subr_witness.c.
 * Differs: FreeBSD adds an edge from the lock acquired last only, and searches a
 * matrix of relations; its reports carry stack traces, ours the four places.
 */

#include "lock/witness.h"

#include <errno.h>

#include "kern/kassert.h"
#include "lock/witness_impl.h"

int
witness_create(struct sim *sim, const struct witness_order *wo)
{
	struct lock_env *le = sim->sim_locks;
	struct witness *w;

	KASSERT(le->le_witness == NULL, ("a second witness"));
	w = kmem_alloc(
	    sim->sim_kmem, sizeof(*w), CACHE_LINE_SIZE, M_LOCK, KMEM_ANYDOMAIN);
	if (w == NULL)
		return (ENOMEM);
	w->w_sim = sim;
	w->w_reporter = witness_print;
	if (wo != NULL)
		witness_load_order(w, wo);
	le->le_witness = w;
	return (0);
}

void
witness_destroy(struct sim *sim, struct witness *w)
{
	kmem_free(sim->sim_kmem, w, sizeof(*w), M_LOCK, KMEM_ANYDOMAIN);
}

void
witness_set_reporter(struct sim *sim, witness_reporter_fn *fn, void *arg)
{
	struct witness *w = witness_of(sim);

	w->w_reporter = fn != NULL ? fn : witness_print;
	w->w_reporter_arg = arg;
}

unsigned
witness_reports(struct sim *sim)
{
	struct witness *w = witness_of(sim);

	if (w == NULL)
		return (0);
	/* Relaxed: a count. */
	return (atomic_load_explicit(&w->w_reports, memory_order_relaxed));
}

int
witness_thread_create(struct witness *w, struct thread *td)
{
	struct witness_thread *wt;

	wt = kmem_alloc(w->w_sim->sim_kmem, sizeof(*wt), CACHE_PAIR_SIZE,
	    M_LOCK, KMEM_ANYDOMAIN);
	if (wt == NULL)
		return (ENOMEM);
	td->td_witness = wt;
	td->td_lock_hooks |= LOCK_HOOK_WITNESS;
	return (0);
}

void
witness_thread_destroy(struct witness *w, struct thread *td)
{
	struct witness_thread *wt = td->td_witness;

	KASSERT(wt->wt_nheld == 0,
	    ("thread %u leaves holding %u locks, one is %s", td->td_id,
		wt->wt_nheld, wt->wt_held[0].wl_place.wp_name));
	td->td_lock_hooks &= (uint16_t)~LOCK_HOOK_WITNESS;
	td->td_witness = NULL;
	kmem_free(w->w_sim->sim_kmem, wt, sizeof(*wt), M_LOCK, KMEM_ANYDOMAIN);
}

/* Was this told before?  Says so from now on.  (l) */
static bool
told(struct witness *w, enum witness_kind kind, int a, int c)
{
	bool before = (w->w_told[kind][a] & BIT(c)) != 0;

	w->w_told[kind][a] |= BIT(c);
	return (before);
}

static void
tell(struct witness *w, const struct witness_report *wr)
{
	/* Relaxed: a count. */
	atomic_fetch_add_explicit(&w->w_reports, 1, memory_order_relaxed);
	w->w_reporter(w->w_reporter_arg, wr);
}

static void
tell_limit(struct witness *w, struct thread *td, int limit,
    const struct witness_place *wp)
{
	static const char *const names[] = {
		[LIMIT_CLASSES] = "lock classes",
		[LIMIT_EDGES] = "pairs of lock classes",
		[LIMIT_HELD] = "locks held by a thread",
	};
	struct witness_report wr = {
		.wr_kind = WITNESS_LIMIT,
		.wr_thread = td->td_id,
		.wr_held = { .wp_name = names[limit] },
		.wr_wanted = *wp,
	};
	bool before;

	leaf_lock(&w->w_lock, w->w_sim);
	before = told(w, WITNESS_LIMIT, 0, limit);
	leaf_unlock(&w->w_lock);
	if (!before)
		tell(w, &wr);
}

static int
class_of(struct witness *w, struct thread *td, const struct witness_place *wp)
{
	struct witness_thread *wt = td->td_witness;
	uintptr_t a = (uintptr_t)wp->wp_name;
	size_t i = (a ^ (a >> 6)) % WITNESS_CACHE;
	int c;

	if (wp->wp_name == NULL)
		return (NOCLASS);
	if (wt->wt_cache[i].wt_name == wp->wp_name)
		return (wt->wt_cache[i].wt_class);
	leaf_lock(&w->w_lock, w->w_sim);
	c = witness_class(w, wp->wp_name);
	leaf_unlock(&w->w_lock);
	if (c == NOCLASS)
		tell_limit(w, td, LIMIT_CLASSES, wp);
	wt->wt_cache[i].wt_name = wp->wp_name;
	wt->wt_cache[i].wt_class = c;
	return (c);
}

static struct witness_lock
witness_lock_of(struct witness *w, struct thread *td,
    const struct lock_object *lo, const void *key, unsigned how,
    const char *file, int line)
{
	struct witness_lock wl = {
		.wl_place = {
			.wp_name = lo->lo_name,
			.wp_class =
			    (enum lock_class)(lo->lo_flags & LO_CLASSMASK),
			.wp_key = key,
			.wp_file = file,
			.wp_line = line,
		},
		.wl_dupok = (lo->lo_flags & LO_DUPOK) != 0,
		.wl_how = how,
	};

	wl.wl_class = class_of(w, td, &wl.wl_place);
	return (wl);
}

static bool
is_known(const struct witness *w, int a, int c)
{
	/* Relaxed: 0 may be stale, and then it is judged again, with w_lock. */
	return ((atomic_load_explicit(&w->w_known[a], memory_order_relaxed) &
		    BIT(c)) != 0);
}

/* A pair that the fast path does not know. */
__slowpath static void
judge_pair(struct witness *w, struct thread *td,
    const struct witness_lock *held, const struct witness_lock *wl)
{
	struct witness_report wr = {
		.wr_thread = td->td_id,
		.wr_held = held->wl_place,
		.wr_wanted = wl->wl_place,
	};
	int a = held->wl_class, c = wl->wl_class;
	bool full = false, known, tell_it = false;

	leaf_lock(&w->w_lock, w->w_sim);
	wr.wr_kind = witness_judge(w, held, wl);
	known = is_known(w, a, c);
	if (wr.wr_kind != NWITNESS_KINDS) {
		tell_it = !told(w, wr.wr_kind, a, c);
		if (tell_it && wr.wr_kind == WITNESS_REVERSAL)
			witness_path(w, c, a, &wr);
	} else if (a != c && (wl->wl_how & LOP_TRY) == 0 && !known) {
		full = !witness_edge_add(w, held, wl);
	}
	if (a != c && (wl->wl_how & LOP_TRY) == 0) {
		/* Relaxed: see is_known(). */
		atomic_fetch_or_explicit(
		    &w->w_known[a], BIT(c), memory_order_relaxed);
	}
	leaf_unlock(&w->w_lock);

	if (tell_it)
		tell(w, &wr);
	if (full)
		tell_limit(w, td, LIMIT_EDGES, &wl->wl_place);
}

void
witness_want(struct thread *td, const struct lock_object *lo, const void *key,
    unsigned how, const char *file, int line)
{
	struct witness *w = witness_of(td->td_sim);
	struct witness_thread *wt = td->td_witness;
	const struct witness_lock *held;
	struct witness_lock wl;

	if (wt->wt_nheld == 0)
		return;
	wl = witness_lock_of(w, td, lo, key, how, file, line);
	if (wl.wl_class == NOCLASS)
		return;
	for (unsigned i = wt->wt_nheld; i > 0; i--) {
		held = &wt->wt_held[i - 1];
		if (held->wl_class == NOCLASS)
			continue;
		if (held->wl_class == wl.wl_class ||
		    !is_known(w, held->wl_class, wl.wl_class))
			judge_pair(w, td, held, &wl);
	}
}

void
witness_acquired(struct thread *td, const struct lock_object *lo,
    const void *key, unsigned how, const char *file, int line)
{
	struct witness *w = witness_of(td->td_sim);
	struct witness_thread *wt = td->td_witness;
	const struct witness_lock *held;
	struct witness_lock wl;

	wl = witness_lock_of(w, td, lo, key, how, file, line);
	if ((how & LOP_TRY) != 0 && wl.wl_class != NOCLASS) {
		for (unsigned i = wt->wt_nheld; i > 0; i--) {
			held = &wt->wt_held[i - 1];
			if (held->wl_class != NOCLASS &&
			    ((w->w_leaf | w->w_alone) & BIT(held->wl_class)) !=
				0)
				judge_pair(w, td, held, &wl);
		}
	}
	if (wt->wt_nheld == WITNESS_HELD_MAX) {
		wt->wt_lost = true;
		tell_limit(w, td, LIMIT_HELD, &wl.wl_place);
		return;
	}
	wt->wt_held[wt->wt_nheld++] = wl;
}

/* The newest hold of key.  NULL: none, or it found no place. */
static struct witness_lock *
find_held(struct witness_thread *wt, const void *key)
{
	for (unsigned i = wt->wt_nheld; i > 0; i--) {
		if (wt->wt_held[i - 1].wl_place.wp_key == key)
			return (&wt->wt_held[i - 1]);
	}
	return (NULL);
}

void
witness_converted(struct thread *td, const void *key, unsigned how)
{
	struct witness_lock *held = find_held(td->td_witness, key);

	if (held != NULL)
		held->wl_how = how;
}

void
witness_released(struct thread *td, const void *key)
{
	struct witness_thread *wt = td->td_witness;
	struct witness_lock *held = find_held(wt, key);
	struct witness_lock *last;

	if (held == NULL)
		return;
	last = &wt->wt_held[--wt->wt_nheld];
	for (; held < last; held++)
		held[0] = held[1];
}

enum witness_hold
witness_held(struct thread *td, const void *key)
{
	struct witness_thread *wt = td->td_witness;
	const struct witness_lock *held;

	if (wt == NULL)
		return (WITNESS_UNKNOWN);
	held = find_held(wt, key);
	if (held == NULL)
		return (wt->wt_lost ? WITNESS_UNKNOWN : WITNESS_NOT_HELD);
	return ((held->wl_how & LOP_EXCLUSIVE) != 0 ? WITNESS_EXCLUSIVE
						    : WITNESS_SHARED);
}

void
witness_sleep_at(
    struct thread *td, const char *event, const char *file, int line)
{
	struct witness_report wr = {
		.wr_kind = WITNESS_SLEEP,
		.wr_thread = td->td_id,
		.wr_wanted = {
			.wp_name = event,
			.wp_class = NLOCK_CLASSES,
			.wp_file = file,
			.wp_line = line,
		},
	};
	struct witness_thread *wt = td->td_witness;
	const struct witness_lock *held;
	struct witness *w;
	bool before;

	if (wt == NULL)
		return;
	w = witness_of(td->td_sim);
	for (unsigned i = wt->wt_nheld; i > 0; i--) {
		held = &wt->wt_held[i - 1];
		if (held->wl_class == NOCLASS ||
		    waiting_rank(held->wl_place.wp_class) == 0)
			continue;
		leaf_lock(&w->w_lock, w->w_sim);
		/* No lock sleeps under one of its own class. */
		before = told(w, WITNESS_SLEEP, held->wl_class, held->wl_class);
		leaf_unlock(&w->w_lock);
		wr.wr_held = held->wl_place;
		if (!before)
			tell(w, &wr);
	}
}
