/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_WORLD_H
#define SIM_VIRTUAL_WORLD_H

/*
 * CPUs with clocks, fibers on them, and who runs.
 *
 * The idea.  All CPUs are one host thread.  The one with the smallest clock runs,
 * ties by number, and what it does is charged to its clock.  It may go on, without
 * asking, until something that others can see: a miss, an atomic operation, a
 * wake-up.  Such an event is done only while its clock is the smallest; else the
 * CPU that has the smallest goes first.  So events happen in the order of (clock,
 * CPU), whatever the host does, and each run of a program is the same.
 *
 * A CPU has fibers: one that has it, those that are ready, in a queue by priority
 * (td_pri, with what is lent) and arrival, and sleepers that have a deadline.  A
 * fiber moves to the CPU of its thread at so_attach and stays there.  A slice ends
 * only where another of the same priority waits; a more urgent one preempts at
 * once.  So holders of locks lose their CPU, as they do.
 *
 * A CPU's next event of its own, the end of a slice, a deadline, a wake-up that
 * takes effect, is a time like those of other CPUs: vw_limit_ps is the smaller of
 * both, and the one comparison that the fast path of an access needs.
 *
 * Lookahead.  An atomic operation on a line that only its CPU has, from memory or for
 * a while (LINE_SETTLED), may come before its turn, by less than a line needs to the
 * CPU whose turn it is (pr_lookahead of that).  Whoever asks for the line at an
 * earlier time, and is served later, has it only after the operation was done: nobody
 * sees what is not yet, and the request found the owner busy while it was under way.
 * Lines that others want move, so they are in strict order; most atomic operations
 * are on the other kind, and three of four switches are saved.  With 0 all are
 * strict.
 *
 * Some have a line in less than the shortest way: who foresaw it; the second reader,
 * where the cluster's cache is near; who looks at what its own store has but asked
 * for.  They may see a value too soon, and a look that comes early may miss what a
 * sibling writes to a line that both have read: by less than the lookahead.
 * Measured: 3 of 39 million early operations, by 14 ns at most (six runs on
 * clx-2s-104, altra-80 and laptop-8).  That is a matter of time alone: for all CPUs
 * operations are in one order, in which the host does them.
 *
 * With a strategy to explore (struct explore) there is no time and no order by it:
 * each access asks the strategy who goes on.
 *
 * Invariants.
 *   1. vw_cpu is the CPU of the fiber that runs, vw_fiber the fiber.
 *   2. The tree has the time of each other CPU at which it has something to do.
 *   3. Clocks do not go back.
 *   4. A fiber that is untimed neither moves its CPU's clock nor switches, but
 *	where it blocks, spins or yields.
 *   5. Nothing here is instrumented, and what is not instrumented never switches
 *	by itself: a host mutex that is held across nothing else is never met.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/kassert.h"
#include "sim/virtual/arena.h"
#include "sim/virtual/fiber.h"
#include "sim/virtual/line.h"
#include "sim/virtual/preset.h"
#include "sim/virtual/stats.h"
#include "sim/virtual/virt.h"

struct explore;
struct thread;
struct vfiber;

#define VIRT_NEVER UINT64_MAX

/* The time at which a world begins: not 0, which means "not yet" to some. */
#define VIRT_BEGIN_PS UINT64_C(1000000000)
/* The clock moves by this with each access that is explored. */
#define VIRT_EXPLORE_PS UINT64_C(10000)

enum vfiber_state {
	FB_RUNS,    /* has its CPU, whether or not the host runs it now */
	FB_READY,   /* on the queue of its CPU */
	FB_BLOCKED, /* until a wake-up or fb_deadline_ps */
	FB_DEAD
};

struct vfiber {
	/* The first line: what a switch needs. */
	_Alignas(64) struct fiber_ctx fb_ctx;
	struct thread *fb_curtd; /* sim_curthread, while it does not run */
	struct vcpu *fb_cpu;
	uint64_t fb_left_ps; /* of a charge that was interrupted */
	unsigned fb_id;      /* from 0, never used again; so_tid() is 1 more */
	uint8_t fb_state;    /* enum vfiber_state */
	bool fb_untimed;     /* see invariant 4 */
	bool fb_timed_out;

	struct thread *fb_td;    /* last attached, or NULL */
	uint64_t fb_stolen_ps;   /* of what it was charged, and has not had */
	uint64_t fb_since_ps;    /* blocked or ready since */
	uint64_t fb_ready_ps;    /* may have its CPU from then on */
	uint64_t fb_deadline_ps; /* VIRT_NEVER: none */
	int fb_lent_pri;         /* by those with fb_lends_to, or PRI_NONE */
	/* For reports: what it waits for. */
	const char *fb_why;   /* "a token", "a loan", "a leaf lock", ... */
	const void *fb_on;    /* its address, or NULL */
	const char *fb_class; /* so_waits(), or NULL */
	struct vfiber *fb_lends_to; /* blocked, and lends its priority */
	struct vfiber *fb_joiner;
	struct vfiber *fb_next;  /* queue of the CPU; its sleepers */
	uint64_t fb_writes_seen; /* explore: vw_writes at its last spin */
	void (*fb_fn)(void *);
	void *fb_arg;
	void *fb_explore; /* for the strategy; NULL in the beginning */
	struct vstat_fiber fb_stat;
};
_Static_assert(offsetof(struct vfiber, fb_td) == 64, "a switch needs one line");

/*
 * What a CPU has looked at since its fiber spun last: world_watch.c.  Times are from
 * the end of that spin on.
 */
struct vwatch {
	struct line *w_line; /* NULL: none */
	bool w_else;         /* it has done something else as well */
	uint64_t w_at_ps;    /* the look at it */
	uint64_t w_end_ps;   /* when that spin ended */
	uint64_t w_switches; /* vw_switches at the look */
	uint64_t w_clock_ps; /* the last look at the clock */
	uint64_t w_body_ps;  /* of the round before */
	uint64_t w_n;
	const struct vfiber *w_fiber;
};

/* One CPU.  The first line is what a hit needs. */
struct vcpu {
	_Alignas(64) uint64_t vc_clock_ps;
	uint64_t vc_hit_ps;   /* a hit, siblings considered */
	uint64_t vc_mark_ps;  /* hits up to here are accounted for */
	uint64_t vc_event_ps; /* the next thing to do of its own */
	uint64_t vc_accesses;
	struct vfiber *vc_fiber; /* has the CPU; NULL: idle */
	line_tag vc_tag;         /* what a line has that this CPU used last */
	unsigned vc_id;
	unsigned vc_core; /* of the machine */
	unsigned vc_busy; /* siblings that work */

	/* The second: what an atomic operation needs besides. */
	uint64_t vc_rmw_ps;     /* siblings considered */
	uint64_t vc_rmw_end_ps; /* of the last RMW */
	uint64_t vc_stored_ps;  /* when the last store completes */
	uint16_t vc_nsiblings;
	uint16_t vc_siblings[LINE_SIBLINGS_MAX];
	struct vwatch vc_watch;

	unsigned vc_cluster;
	unsigned vc_socket;
	struct vfiber *vc_ready;  /* by arrival */
	struct vfiber *vc_timers; /* by fb_deadline_ps */
	uint64_t vc_from_ps;      /* the charge that runs began then */
	uint64_t vc_slice_ps;     /* end of the slice */
	uint64_t vc_idle_ps;      /* idle since */
	struct line *vc_granted;  /* has waited for it */
	uint64_t vc_queued_ps;    /* so long */
	uint64_t vc_turn_ps;      /* until then */

	/* Store buffer: times at which stores complete, a ring. */
	uint64_t *vc_stores;
	unsigned vc_store_head;
	unsigned vc_nstores;
	enum vstat_time vc_store_what;
	uint64_t vc_stream[4]; /* lines that are foreseen */
	unsigned vc_stream_at;
};

/*
 * What an access is, for those that explore.
 */

enum virt_kind {
	VA_READ,
	VA_WRITE,
	VA_ATOMIC_LOAD,
	VA_ATOMIC_STORE,
	VA_RMW, /* and a compare-and-swap that succeeds */
	VA_CAS_FAILED,
	VA_FENCE,
	VA_ACQUIRE, /* __tsan_acquire(), __tsan_release(): no access */
	VA_RELEASE
};

struct virt_access {
	uintptr_t va_addr;
	size_t va_size;
	enum virt_kind va_kind; /* in eo_before: a CAS is a VA_RMW */
	int va_order;           /* __ATOMIC_*; of a CAS that failed, its own */
	uintptr_t va_pc;        /* the caller's */
	/* In eo_after, where the size is 8 or less: what it was and became. */
	uint64_t va_old;
	uint64_t va_new;
};

/* Why another fiber has to be chosen. */
enum virt_why {
	VIRT_SPIN,  /* nothing changes until another writes */
	VIRT_YIELD, /* the same */
	VIRT_BLOCK,
	VIRT_EXIT
};

/*
 * A strategy.  It is called by the fiber that runs, on its stack, and touches no
 * memory of the model.  Fibers that can run are those in FB_RUNS and FB_READY:
 * there is no CPU to be had, each has its own.
 */
struct explore_ops {
	/*
	 * vw_fiber is about to do this.  Returns who runs now: vw_fiber, or
	 * another that can.  When the fiber comes back, it does it.
	 */
	struct vfiber *(*eo_before)(
	    struct explore *ex, const struct virt_access *va);
	/* It has done it. */
	void (*eo_after)(struct explore *ex, const struct virt_access *va);
	/*
	 * vw_fiber cannot or would rather not go on.  Returns who runs now: one
	 * that can; with VIRT_SPIN and VIRT_YIELD vw_fiber, too.
	 */
	struct vfiber *(*eo_pick)(struct explore *ex, enum virt_why why);
	/* A fiber was made by vw_fiber; ends; was joined by it. */
	void (*eo_create)(struct explore *ex, struct vfiber *fb);
	void (*eo_exit)(struct explore *ex, struct vfiber *fb);
	void (*eo_join)(struct explore *ex, struct vfiber *fb);
	/* vw_fiber wakes fb (which may not sleep); vw_fiber took the token. */
	void (*eo_wake)(struct explore *ex, struct vfiber *fb);
	void (*eo_woken)(struct explore *ex);
	/*
	 * Memory that a fiber has returned, or was given: [p, p + size).  What
	 * was recorded of it is void.
	 */
	void (*eo_fresh)(struct explore *ex, const void *p, size_t size);
	/* Nobody can run.  text: who waits for what.  May not return. */
	void (*eo_deadlock)(struct explore *ex, const char *text);
};

/* A strategy's own struct begins with this. */
struct explore {
	const struct explore_ops *ex_ops;
};

/*
 * The world.  What an access reads stands first.
 */
struct world {
	_Alignas(64) struct vcpu *vw_cpu; /* without a world, one of nobody */
	uint64_t vw_span;     /* bytes of the arena that are modelled, or 0 */
	uintptr_t vw_arena;   /* arena_base */
	uintptr_t vw_shadow;  /* arena_shadow_base */
	uint64_t vw_limit_ps; /* vw_cpu may do an event before then */
	uint64_t vw_early_ps; /* the same with lookahead */
	uint64_t
	    vw_next; /* of the tree: who comes then; VIRT_NEVER: not known */
	struct explore *vw_explore; /* NULL, also while untimed */
	struct vfiber *vw_fiber;
	uint64_t vw_lookahead_ps; /* to CPUs of other cores */
	uint64_t vw_lookahead_smt_ps;
	uint64_t vw_hash;
	uint64_t vw_switches;
	uint64_t vw_spins;  /* since the last progress: livelock */
	uint64_t vw_writes; /* explore: by anyone */

	bool vw_on;
	struct explore *vw_strategy; /* vw_explore while timed */
	unsigned vw_ncpus;
	struct vcpu *vw_cpus;
	struct preset vw_preset;
	uint64_t vw_seed;
	bool vw_sees_cpus;         /* vc_sees_cpus */
	struct vfiber **vw_fibers; /* by fb_id; [0] is main's */
	unsigned vw_nfibers;
	unsigned vw_maxfibers;
	unsigned vw_nlive;

	/* The tree of times: world_impl.h. */
	uint64_t *vw_tree;
	unsigned vw_leaves;
	uint64_t vw_explore_ps; /* the clock, with a strategy */
};

extern struct world virt_world;

/*
 * Who runs.
 */

/*
 * Let those go first whose time has come.  Returns when vw_cpu may do an event: to
 * the same fiber, whose CPU may have had others meanwhile.
 */
void world_order(void);

/* May vw_cpu do an event now? */
static inline bool
world_my_turn(const struct vcpu *vc)
{
	return (vc->vc_clock_ps < virt_world.vw_limit_ps);
}

/* May it before its turn?  On a line that only it has. */
static inline bool
world_may_be_early(const struct vcpu *vc)
{
	return (vc->vc_clock_ps < virt_world.vw_early_ps);
}

/* Time passes for vw_cpu: ps of what; may switch.  Untimed: nothing. */
void world_charge(enum vstat_time what, uint64_t ps);

/*
 * vw_fiber has accounted for all its hits so far.  Before any other time of it, and
 * before what it is accounted to changes.
 */
static inline void
world_account(struct vcpu *vc)
{
	vstat_time(&virt_world.vw_fiber->fb_stat, VT_HIT,
	    vc->vc_clock_ps - vc->vc_mark_ps);
	vc->vc_mark_ps = vc->vc_clock_ps;
}

/*
 * Block vw_fiber until world_wake(), or a time.  False: the time came.  why and on
 * are for reports; lends_to may be NULL.
 */
bool world_block(const char *why, const void *on, uint64_t deadline_ps,
    struct vfiber *lends_to);
/* fb, if it is blocked, becomes ready; vw_fiber pays for it. */
void world_wake(struct vfiber *fb);
/* Another fiber of the CPU, or, with explore, any. */
void world_yield(void);
/* The time, for who runs. */
static inline uint64_t
world_now_ps(void)
{
	return (virt_world.vw_strategy != NULL
		? virt_world.vw_explore_ps
		: virt_world.vw_cpu->vc_clock_ps);
}

/* n units of a spin loop. */
void world_spin(uint64_t n);

/*
 * The same, as part of a loop that ends when memory changes, or by its own look at
 * the clock at deadline_ps: rounds that find nothing new are passed at once.
 */
void world_spin_until(uint64_t n, uint64_t deadline_ps);
/* vc, which is about to write the line, has watchers. */
void world_written(const struct vcpu *vc, struct line *ln);

/* An atomic load by vc, now, that found the line in its own cache. */
static inline void
world_watch_line(struct vcpu *vc, struct line *ln)
{
	struct vwatch *w = &vc->vc_watch;

	if (w->w_line != NULL) {
		w->w_else = true;
		return;
	}
	w->w_line = ln;
	w->w_at_ps = vc->vc_clock_ps - w->w_end_ps;
	w->w_switches = virt_world.vw_switches;
}

/* A fiber on CPU cpu that calls fn(arg).  Returns 0 or ENOMEM. */
int
world_create(unsigned cpu, void (*fn)(void *), void *arg, struct vfiber **fbp);
/* Wait until it has ended. */
void world_join(struct vfiber *fb);
/* vw_fiber goes on on another CPU. */
void world_move(unsigned cpu);
void world_untimed(bool on);
/* The priority of fb may have changed: its own, or one that is lent to it. */
void world_pri_changed(struct vfiber *fb);

/* Its priority: its own or one that is lent to it. */
int vfiber_pri(const struct vfiber *fb);

/* The fiber whose so_tid() that is, or NULL: none, or dead. */
struct vfiber *world_fiber(uint32_t tid);

/* Print who waits for what; then eo_deadlock or exit with status 70. */
_Noreturn void world_stuck(const char *what);

/*
 * Accesses, for tsan*.c.
 */

/* One more event has happened. */
static inline void
world_event(uint64_t a, uint64_t b)
{
	uint64_t h = virt_world.vw_hash;

	h = (h ^ a) * UINT64_C(0x9fb21c651e98df25);
	h = (h ^ (h >> 29) ^ b) * UINT64_C(0xff51afd7ed558ccd);
	virt_world.vw_hash = h ^ (h >> 32);
}

/* Slow paths of world_access(). */
void world_read(uintptr_t addr);
void world_write(uintptr_t addr);
void world_atomic_read(uintptr_t addr);
void world_atomic_write(uintptr_t addr);
void world_rmw(uintptr_t addr);
static inline void
world_access_outside(void)
{
	if (virt_world.vw_span != 0)
		virt_world.vw_cpu->vc_clock_ps += virt_world.vw_cpu->vc_hit_ps;
}

/*
 * vw_fiber reads or writes the line of addr: returns when it may, and what it
 * takes has been charged.  Not with a strategy.
 */
static inline __attribute__((always_inline)) void
world_access(uintptr_t addr, enum line_op op)
{
	struct vcpu *vc = virt_world.vw_cpu;
	uint64_t offset = addr - virt_world.vw_arena;
	const struct line *ln;

	if (__predict_false(offset >= virt_world.vw_span)) {
		world_access_outside();
		return;
	}
	ln = (const struct line *)(virt_world.vw_shadow +
	    (offset >> ARENA_LINE_SHIFT << ARENA_SHADOW_SHIFT));
	if (__predict_true(ln->ln_share[0] == vc->vc_tag &&
		(op == LINE_READ ||
		    (op == LINE_WRITE && ln->ln_state == LINE_MODIFIED)))) {
		vc->vc_clock_ps += vc->vc_hit_ps;
		vc->vc_accesses++;
		return;
	}
	switch (op) {
	case LINE_READ:
		world_read(addr);
		break;
	case LINE_WRITE:
		world_write(addr);
		break;
	case LINE_ATOMIC_READ:
		world_atomic_read(addr);
		break;
	case LINE_ATOMIC_WRITE:
		world_atomic_write(addr);
		break;
	default:
		world_rmw(addr);
		break;
	}
}

/* The same with a strategy. */
void world_explore_before(const struct virt_access *va);
void world_explore_after(const struct virt_access *va);

#endif /* SIM_VIRTUAL_WORLD_H */
