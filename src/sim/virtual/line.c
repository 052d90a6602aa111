/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What an access costs: see line.h.
 *
 * An access that is no hit in the own L1 is a question (line_look(): who has the
 * line), a change of the line's state, and a price.  The price of a load or of an
 * RMW is waited for; that of a plain store goes to the store buffer.
 *
 *	op	before			after		price
 *
 *	load	mine, L1		same		hit
 *		mine, L2		same		L2
 *		mine, sibling wrote	exclusive	sibling
 *		others have it		shared		the nearest
 *		nobody			exclusive	memory
 *	store,	mine, alone		modified	hit, or RMW
 *	RMW	mine, shared		modified	the farthest
 *		others have it		modified	the nearer of where it comes
 *						from, the farthest that loses it
 *		nobody			modified	memory
 */

#include "kern/kassert.h"
#include "sim/virtual/line_impl.h"

/* vc's core fills a line. */
static void
fill(struct vcpu *vc)
{
	uint64_t fills = ++line_model.lm_fills[vc->vc_core];

	if ((fills & ((1u << LINE_STAMP_SHIFT) - 1)) != 0)
		return;
	vc->vc_tag = line_tag_now(vc);
	for (unsigned i = 0; i < vc->vc_nsiblings; i++) {
		struct vcpu *sibling = &line_model.lm_cpus[vc->vc_siblings[i]];

		sibling->vc_tag = line_tag_now(sibling);
	}
}

/* Time goes by that is no hit. */
static void
pass(struct vcpu *vc, enum vstat_time what, uint64_t ps)
{
	world_account(vc);
	vstat_time(&virt_world.vw_fiber->fb_stat, what, ps);
	vc->vc_clock_ps += ps;
	vc->vc_mark_ps = vc->vc_clock_ps;
}

static enum vstat_time
time_of(enum vstat_dist from)
{
	return (from == VD_REMOTE ? VT_REMOTE : VT_LOCAL);
}

/* Stores that are complete leave the buffer. */
static void
retire(struct vcpu *vc)
{
	unsigned n = (unsigned)line_model.lm_preset->pr_store_buffer;

	while (vc->vc_nstores > 0 &&
	    vc->vc_stores[vc->vc_store_head] <= vc->vc_clock_ps) {
		vc->vc_store_head = (vc->vc_store_head + 1) % n;
		vc->vc_nstores--;
	}
}

static void
drain(struct vcpu *vc)
{
	if (vc->vc_stored_ps > vc->vc_clock_ps)
		pass(vc, vc->vc_store_what, vc->vc_stored_ps - vc->vc_clock_ps);
	vc->vc_nstores = 0;
}

/* The line comes in the background; a full buffer is waited for. */
static uint64_t
buffer_store(struct vcpu *vc, const struct line *ln, struct line_miss *miss)
{
	unsigned n = (unsigned)line_model.lm_preset->pr_store_buffer, at;
	uint64_t done, start;

	retire(vc);
	if (vc->vc_nstores == n) {
		pass(vc, time_of(miss->lm_from),
		    vc->vc_stores[vc->vc_store_head] - vc->vc_clock_ps);
		retire(vc);
	}
	start =
	    ln->ln_free_ps > vc->vc_clock_ps ? ln->ln_free_ps : vc->vc_clock_ps;
	done = start + miss->lm_ps;
	if (done < vc->vc_stored_ps)
		done = vc->vc_stored_ps;
	at = (vc->vc_store_head + vc->vc_nstores) % n;
	vc->vc_stores[at] = done;
	vc->vc_nstores++;
	vc->vc_stored_ps = done;
	vc->vc_store_what = time_of(miss->lm_from);
	vc->vc_clock_ps += vc->vc_hit_ps;
	return (start);
}

static bool
is_read(enum line_op op)
{
	return (op == LINE_READ || op == LINE_ATOMIC_READ);
}

/*
 * How long after the request a line that takes ps is not for others: until it is
 * there, and then as long as its new owner keeps it.
 */
static uint64_t
busy_for(enum line_op op, const struct line_miss *miss)
{
	const struct preset *pr = line_model.lm_preset;
	uint64_t busy =
	    is_read(op) ? pr->pr_occupancy_read_ps : pr->pr_occupancy_write_ps;

	if (busy != 0)
		return (busy);
	if (miss->lm_memory || miss->lm_from == VD_CORE)
		return (miss->lm_ps);
	return (miss->lm_ps * 1000 / (1000 - pr->pr_line_hold_permille));
}

/*
 * Has vc just waited for the line?  Its turn is over when it did something else: a
 * sibling had fetched the line, or another fiber got the CPU.
 */
static bool
has_turn(const struct vcpu *vc, const struct line *ln)
{
	return (vc->vc_granted == ln && vc->vc_turn_ps == vc->vc_clock_ps);
}

/*
 * Where a core keeps a line that has come for a while (pr_line_hold), it goes on
 * with it until then, and those who wait get it in the order in which they ask, one
 * transfer after the other, each as long as it is from where the line is now: where
 * the one before will be is not kept.  True: vc has waited for its turn; the access is
 * to be tried again.
 */
static bool
stand_in_line(struct vcpu *vc, struct line *ln, enum line_op op,
    const struct line_look *lk)
{
	struct line_miss miss = { 0, VD_CLUSTER, false };

	if (line_model.lm_preset->pr_line_hold_permille == 0 ||
	    op == LINE_WRITE || op == LINE_ATOMIC_WRITE || !lk->lk_others ||
	    has_turn(vc, ln))
		return (false);
	if (ln->ln_free_ps <= vc->vc_clock_ps)
		return (false);
	miss.lm_ps = line_model.lm_cost[is_read(op) ? lk->lk_near : lk->lk_far];
	vc->vc_granted = ln;
	vc->vc_queued_ps = ln->ln_free_ps - vc->vc_clock_ps;
	ln->ln_free_ps += busy_for(op, &miss);
	pass(vc, VT_QUEUE, vc->vc_queued_ps);
	vc->vc_turn_ps = vc->vc_clock_ps;
	return (true);
}

/*
 * Stores complete in their order: an atomic one, which others look for, is not seen
 * before those that have to come.
 */
static void
publish(const struct vcpu *vc, struct line *ln)
{
	if (vc->vc_stored_ps > vc->vc_clock_ps &&
	    vc->vc_stored_ps > ln->ln_free_ps)
		ln->ln_free_ps = vc->vc_stored_ps;
}

/* Pay for a miss, and keep the line busy as long as it is on its way. */
static void
pay(struct vcpu *vc, struct line *ln, uintptr_t addr, enum line_op op,
    struct line_miss *miss)
{
	bool granted = has_turn(vc, ln);
	uint64_t before = vc->vc_clock_ps, queue = 0, start;

	world_event(
	    arena_line((const void *)addr) << 3 | op, before << 10 | vc->vc_id);
	if (op == LINE_WRITE || op == LINE_ATOMIC_WRITE) {
		start = buffer_store(vc, ln, miss);
	} else {
		start = vc->vc_clock_ps;
		if (granted) {
			queue = vc->vc_queued_ps;
			before -= queue;
		} else if (ln->ln_free_ps > start) {
			queue = ln->ln_free_ps - start;
			start = ln->ln_free_ps;
			pass(vc, VT_QUEUE, queue);
		}
		pass(vc, time_of(miss->lm_from), miss->lm_ps);
	}
	if (miss->lm_memory)
		ln->ln_flags &= (uint8_t)~LINE_MOVED;
	else
		ln->ln_flags |= LINE_MOVED;
	if (op == LINE_RMW)
		vc->vc_rmw_end_ps = vc->vc_clock_ps;
	if (!granted)
		ln->ln_free_ps = start + busy_for(op, miss);
	if (op == LINE_ATOMIC_WRITE)
		publish(vc, ln);
	vstat_miss(&ln->ln_stat, addr, vc->vc_id, miss->lm_from,
	    miss->lm_memory, op != LINE_READ && op != LINE_ATOMIC_READ,
	    vc->vc_clock_ps - before, queue);
}

/* What an RMW adds to the accesses since the last one, with which it overlaps. */
static uint64_t
rmw_adds(const struct vcpu *vc)
{
	uint64_t permille = line_model.lm_preset->pr_rmw_overlap_permille;
	uint64_t saved;

	if (permille == 0)
		return (vc->vc_rmw_ps);
	saved = (vc->vc_clock_ps - vc->vc_rmw_end_ps) * permille / 1000;
	return (vc->vc_rmw_ps > vc->vc_hit_ps + saved ? vc->vc_rmw_ps - saved
						      : vc->vc_hit_ps);
}

/* The line is in the core's own caches, and nothing has to be asked. */
static void
hit(struct vcpu *vc, enum line_op op)
{
	if (op == LINE_RMW) {
		vc->vc_clock_ps += rmw_adds(vc);
		vc->vc_rmw_end_ps = vc->vc_clock_ps;
	} else {
		vc->vc_clock_ps += vc->vc_hit_ps;
	}
}

/* Those who wait for that are told, before time passes. */
static void
wrote(const struct vcpu *vc, struct line *ln)
{
	if (__predict_false((ln->ln_flags & LINE_WATCHED) != 0))
		world_written(vc, ln);
}

/* A load that finds the line in the core's L1 or L2. */
static void
load_mine(struct vcpu *vc, struct line *ln, uintptr_t addr,
    const struct line_look *lk)
{
	if (lk->lk_age <= line_model.lm_l1_units) {
		hit(vc, LINE_READ);
	} else {
		fill(vc);
		if (line_foreseen(vc, arena_line((const void *)addr)))
			hit(vc, LINE_READ);
		else
			pass(vc, VT_LOCAL, line_model.lm_preset->pr_l2_hit_ps);
	}
	if (ln->ln_state == LINE_SHARED)
		line_add_sharer(ln, vc);
	else
		ln->ln_share[0] = vc->vc_tag;
}

/* A store or RMW of a line that only vc's core has, in its L1 or L2. */
static void
store_mine(struct vcpu *vc, struct line *ln, uintptr_t addr, enum line_op op,
    const struct line_look *lk)
{
	if (lk->lk_age > line_model.lm_l1_units) {
		fill(vc);
		if (!line_foreseen(vc, arena_line((const void *)addr)) &&
		    op == LINE_RMW)
			pass(vc, VT_LOCAL, line_model.lm_preset->pr_l2_hit_ps);
	}
	wrote(vc, ln);
	hit(vc, op);
	if (op == LINE_ATOMIC_WRITE)
		publish(vc, ln);
	line_take(ln, vc, LINE_MODIFIED);
}

/*
 * The line is with vc's core, but a sibling has written to it since, and nobody has
 * looked: there are no watchers.
 */
static void
from_sibling(struct vcpu *vc, struct line *ln, uintptr_t addr, enum line_op op)
{
	struct line_miss miss = { line_model.lm_cost[VD_CORE], VD_CORE, false };

	pay(vc, ln, addr, op, &miss);
	line_take(ln, vc, is_read(op) ? LINE_EXCLUSIVE : LINE_MODIFIED);
}

static void
load_miss(struct vcpu *vc, struct line *ln, uintptr_t addr, enum line_op op,
    const struct line_look *lk)
{
	struct line_miss miss;

	line_find_source(ln, vc, addr, lk, &miss);
	pay(vc, ln, addr, op, &miss);
	fill(vc);
	if (lk->lk_others)
		line_add_sharer(ln, vc);
	else
		line_take(ln, vc, LINE_EXCLUSIVE);
}

static void
store_miss(struct vcpu *vc, struct line *ln, uintptr_t addr, enum line_op op,
    const struct line_look *lk)
{
	struct line_miss miss;
	uint64_t far_ps;

	if (lk->lk_mine && lk->lk_age <= line_model.lm_l2_units) {
		/* Shared: the others are told, no data comes. */
		miss.lm_ps = line_model.lm_cost[lk->lk_far];
		miss.lm_from = lk->lk_far;
		miss.lm_memory = false;
	} else {
		line_find_source(ln, vc, addr, lk, &miss);
		far_ps = lk->lk_others ? line_model.lm_cost[lk->lk_far] : 0;
		if (far_ps > miss.lm_ps) {
			miss.lm_ps = far_ps;
			miss.lm_from = lk->lk_far;
		}
	}
	wrote(vc, ln);
	pay(vc, ln, addr, op, &miss);
	fill(vc);
	line_take(ln, vc, LINE_MODIFIED);
}

/* The access, where it is no hit in the L1, or that is not certain. */
static __attribute__((noinline)) bool
access_rest(struct vcpu *vc, struct line *ln, uintptr_t addr, enum line_op op)
{
	struct line_look lk;
	bool mine;

	line_look(ln, vc, &lk);
	mine = lk.lk_mine && lk.lk_age <= line_model.lm_l2_units;
	if (mine && ln->ln_state == LINE_MODIFIED &&
	    line_tag_cpu(lk.lk_tag) != vc->vc_id) {
		if (!world_my_turn(vc))
			return (false);
		vc->vc_watch.w_else = true;
		from_sibling(vc, ln, addr, op);
	} else if (mine && is_read(op)) {
		if (op == LINE_ATOMIC_READ)
			world_watch_line(vc, ln);
		load_mine(vc, ln, addr, &lk);
	} else if (mine && !lk.lk_others) {
		vc->vc_watch.w_else = true;
		store_mine(vc, ln, addr, op, &lk);
	} else {
		if (!world_my_turn(vc) || stand_in_line(vc, ln, op, &lk))
			return (false);
		vc->vc_watch.w_else = true;
		if (is_read(op))
			load_miss(vc, ln, addr, op, &lk);
		else
			store_miss(vc, ln, addr, op, &lk);
	}
	return (true);
}

/* Of a line that is not shared: was it this CPU, and not a sibling? */
static inline bool
used_last(const struct vcpu *vc, const struct line *ln)
{
	return (((ln->ln_share[0] ^ vc->vc_tag) & 0xffff) == 0);
}

/*
 * The line is in vc's L1, though others of its sharers may have read it since, or vc
 * has filled a little: all that changes is the stamp.  False: that is not certain.
 */
static inline bool
still_mine(struct vcpu *vc, struct line *ln, enum line_op op)
{
	if (ln->ln_state == LINE_SHARED)
		return (is_read(op) && line_shared_in_l1(ln, vc));
	if (!used_last(vc, ln) ||
	    (uint16_t)((vc->vc_tag >> 16) - (ln->ln_share[0] >> 16)) >
		line_model.lm_l1_units)
		return (false);
	if (!is_read(op)) {
		wrote(vc, ln);
		ln->ln_state = LINE_MODIFIED;
	}
	ln->ln_share[0] = vc->vc_tag;
	return (true);
}

/*
 * vc's turn has not come.  May it do this all the same?  See world.h.
 */
static inline bool
may_be_early(const struct vcpu *vc, const struct line *ln)
{
	return (world_may_be_early(vc) && ln->ln_state != LINE_SHARED &&
	    used_last(vc, ln) &&
	    ((ln->ln_flags & LINE_MOVED) == 0 ||
		vc->vc_clock_ps > ln->ln_free_ps + line_model.lm_settled_ps));
}

/* As line_access(). */
static inline __attribute__((always_inline)) bool
access_line(struct vcpu *vc, struct line *ln, uintptr_t addr, enum line_op op)
{
	if (__predict_false((ln->ln_flags & LINE_SILENT) != 0))
		return (true);
	if (op >= LINE_ATOMIC_READ) {
		/* Its turn is when the stores before it are complete. */
		if (op == LINE_RMW && vc->vc_stored_ps > vc->vc_clock_ps)
			drain(vc);
		if (!world_my_turn(vc) && !may_be_early(vc, ln))
			return (false);
		world_event(arena_line((const void *)addr) << 3 | op,
		    vc->vc_clock_ps << 10 | vc->vc_id);
	}
	/* The most frequent, without a question. */
	if (__predict_true(
		(ln->ln_share[0] == vc->vc_tag &&
		    (is_read(op) || ln->ln_state == LINE_MODIFIED)) ||
		still_mine(vc, ln, op))) {
		if (op == LINE_ATOMIC_READ)
			world_watch_line(vc, ln);
		else
			vc->vc_watch.w_else = true;
		hit(vc, op);
		if (op == LINE_ATOMIC_WRITE)
			publish(vc, ln);
	} else if (!access_rest(vc, ln, addr, op)) {
		return (false);
	}
	vc->vc_accesses++;
	return (true);
}

bool
line_access(struct vcpu *vc, uintptr_t addr, enum line_op op)
{
	return (access_line(vc, line_of((const void *)addr), addr, op));
}

/* Each is a function of its own: what depends on op is decided by the compiler. */
#define WORLD_ACCESS(name, op)                                                 \
	void world_##name(uintptr_t addr)                                      \
	{                                                                      \
		struct vcpu *vc = virt_world.vw_cpu;                           \
		struct line *ln = line_of((const void *)addr);                 \
                                                                               \
		while (!access_line(vc, ln, addr, op))                         \
			world_order();                                         \
	}

WORLD_ACCESS(read, LINE_READ)
WORLD_ACCESS(write, LINE_WRITE)
WORLD_ACCESS(atomic_read, LINE_ATOMIC_READ)
WORLD_ACCESS(atomic_write, LINE_ATOMIC_WRITE)
WORLD_ACCESS(rmw, LINE_RMW)

void
line_fence(struct vcpu *vc)
{
	drain(vc);
	pass(vc, VT_LOCAL, line_model.lm_preset->pr_fence_ps);
}
