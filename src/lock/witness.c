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
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "kern/kassert.h"
#include "lock/leaf_lock.h"
#include "lock/lock_env.h"
#include "lock/lock_hooks.h"

#define WITNESS_CLASSES_MAX 64
#define WITNESS_EDGES_MAX   512 /* whose first place is remembered */
#define WITNESS_HELD_MAX    32
#define WITNESS_CACHE       64 /* of class by name, in each thread */
#define NOCLASS             (-1)
#define BIT(c)              (UINT64_C(1) << (c))

/* Which table is full, for WITNESS_LIMIT. */
enum {
	LIMIT_CLASSES,
	LIMIT_EDGES,
	LIMIT_HELD
};

/* A lock that is held or wanted. */
struct witness_lock {
	struct witness_place wl_place;
	int wl_class;    /* index, or NOCLASS */
	bool wl_dupok;   /* LO_DUPOK */
	unsigned wl_how; /* LOP_* */
};

struct witness_thread {
	unsigned wt_nheld;
	bool wt_lost; /* a lock was held that found no place here */
	struct witness_lock wt_held[WITNESS_HELD_MAX];
	struct {
		const char *wt_name;
		int wt_class;
	} wt_cache[WITNESS_CACHE];
};

/*
 * Locking key.
 *	c - constant once the first thread is attached
 *	l - w_lock
 *	a - atomic; w_lock to write
 */
struct witness {
	struct leaf_lock w_lock;
	struct sim *w_sim;                             /* (c) */
	witness_reporter_fn *w_reporter;               /* (c) */
	void *w_reporter_arg;                          /* (c) */
	uint64_t w_leaf;                               /* (c) classes */
	uint64_t w_alone;                              /* (c) classes */
	uint64_t w_given[WITNESS_CLASSES_MAX];         /* (c) w_reach then */
	_Atomic uint64_t w_known[WITNESS_CLASSES_MAX]; /* (a) */
	_Atomic unsigned w_reports;                    /* (a) */
	int w_nclasses;                                /* (l) */
	unsigned w_nedges;                             /* (l) */
	const char *w_names[WITNESS_CLASSES_MAX];      /* (l) */
	uint64_t w_after[WITNESS_CLASSES_MAX];         /* (l) */
	uint64_t w_reach[WITNESS_CLASSES_MAX];         /* (l) */
	uint64_t w_told[NWITNESS_KINDS][WITNESS_CLASSES_MAX]; /* (l) */
	struct {
		int e_outer;
		int e_inner;
		struct witness_step e_first;
	} w_edges[WITNESS_EDGES_MAX]; /* (l) */
};

static struct witness *
witness_of(const struct sim *sim)
{
	struct lock_env *le = sim->sim_locks;

	return (le->le_witness);
}

/* The class of a name, made if there is none; NOCLASS: no room.  (l) */
static int
class_find(struct witness *w, const char *name)
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

static void
load_order(struct witness *w, const struct witness_order *wo)
{
	const char *const *name;
	int a, c;

	for (name = wo->wo_chains; *name != NULL; name++) {
		a = class_find(w, *name);
		for (name++; *name != NULL; name++) {
			c = class_find(w, *name);
			KASSERT(a != NOCLASS && c != NOCLASS,
			    ("more than %d lock classes are given",
				WITNESS_CLASSES_MAX));
			graph_add(w, a, c);
			a = c;
		}
	}
	for (const struct witness_rule *wu = wo->wo_rules; wu->wu_name != NULL;
	     wu++) {
		c = class_find(w, wu->wu_name);
		if ((wu->wu_flags & WITNESS_LEAF_CLASS) != 0)
			w->w_leaf |= BIT(c);
		if ((wu->wu_flags & WITNESS_ALONE) != 0)
			w->w_alone |= BIT(c);
	}
	memcpy(w->w_given, w->w_reach, sizeof(w->w_given));
}

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
		load_order(w, wo);
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
	c = class_find(w, wp->wp_name);
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

/* The later may be acquired under the earlier, not the other way round. */
static int
waiting_rank(enum lock_class lc)
{
	switch (lc) {
	case LC_SX:
		return (0); /* holders may sleep */
	case LC_SPIN:
		return (2); /* holders may not even block */
	default:
		return (1);
	}
}

/* NWITNESS_KINDS: nothing is wrong.  (l) */
static enum witness_kind
judge(const struct witness *w, const struct witness_lock *held,
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

/* The shortest way from one class to another.  (l) */
static void
fill_path(const struct witness *w, int from, int to, struct witness_report *wr)
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

/* Remember where an edge was seen first.  False: no room.  (l) */
static bool
edge_add(struct witness *w, const struct witness_lock *held,
    const struct witness_lock *wl)
{
	if (w->w_nedges == WITNESS_EDGES_MAX)
		return (false);
	w->w_edges[w->w_nedges].e_outer = held->wl_class;
	w->w_edges[w->w_nedges].e_inner = wl->wl_class;
	w->w_edges[w->w_nedges].e_first.ws_outer = held->wl_place;
	w->w_edges[w->w_nedges].e_first.ws_inner = wl->wl_place;
	w->w_nedges++;
	return (true);
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
	wr.wr_kind = judge(w, held, wl);
	known = is_known(w, a, c);
	if (wr.wr_kind != NWITNESS_KINDS) {
		tell_it = !told(w, wr.wr_kind, a, c);
		if (tell_it && wr.wr_kind == WITNESS_REVERSAL)
			fill_path(w, c, a, &wr);
	} else if (a != c && (wl->wl_how & LOP_TRY) == 0 && !known) {
		if ((w->w_after[a] & BIT(c)) == 0)
			graph_add(w, a, c);
		full = !edge_add(w, held, wl);
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
