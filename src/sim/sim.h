/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_SIM_H
#define SIM_SIM_H

/*
 * Threads, CPUs, time and waiting.
 *
 * Whatever waits, reads a clock or asks who is running does so through struct
 * sim_ops, so that another implementation can replace the host: real mode
 * (sim_real.c) uses pthreads, a futex and the host's clock.
 *
 * A struct sim belongs to one machine.  A host thread takes part in it while it
 * is attached: sim_thread_attach() gives it a struct thread and makes that
 * curthread().  A host thread may be attached to several machines, and says
 * with sim_thread_switch() on which one it works now.
 *
 * A child of fork(2) has but one of the threads, under a number that no lock word
 * knows, and must exec before it uses any machine.
 *
 * struct thread is type-stable: a slot of the registry is reused by later
 * threads and freed only with the sim, so a stale pointer read out of a lock
 * word always points at some struct thread.  The registry is an array of slot
 * pointers, replaced when it grows and read under RCU.
 *
 * Locking key.
 *	o - written by the thread itself only
 *	c - constant while the thread is attached
 *	r - the registry mutex
 *	t - the lock layer's turnstile chain lock
 *	p - td_pri_lock of the thread
 *	a - atomic
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/counter.h"
#include "kern/cpu.h"
#include "kern/kmem.h"

struct held_line;        /* lock/held.h */
struct lock_prof_thread; /* lock/lock_profile.c */
struct machine;
struct pmap_invl; /* pmap/pmap_di.h */
struct sim;
struct thread;
struct turnstile;      /* lock/turnstile.c */
struct vm_pgcache;     /* phys/vm_page.c */
struct witness_thread; /* lock/witness.c */

/* Lower is more urgent, as in FreeBSD. */
#define PRI_DEFAULT 128
#define PRI_MIN     0
#define PRI_MAX     255
/* so_host_pri(): nothing that the host would let us lend. */
#define PRI_NONE 256
/* What so_host_pri() returns for a priority that can be lent is below this. */
#define PRI_HOST_END 100

/*
 * What the host lends by: 0, or the number of a thread, with bits above that are
 * the host's.  FreeBSD's kernel has it in a struct umutex, and reads the flags.
 */
#if defined(__FreeBSD__) && !defined(SIM_UMUTEX)
#define SIM_UMUTEX 1
#elif !defined(SIM_UMUTEX)
#define SIM_UMUTEX 0
#endif
#define PI_TID_MAX UINT32_C(0x3fffffff)
struct pi_word {
	_Atomic uint32_t pw_owner;
#if SIM_UMUTEX
	_Atomic uint32_t pw_flags;
	uint32_t pw_rest[6];
#endif
};

/* The lock of so_pi_lock() below; lock/leaf_lock.h works it. */
struct leaf_lock {
	struct pi_word ll_word;
};

struct thread {
	/* First line: what every lock operation reads. */
	struct sim *td_sim;            /* (c) */
	uint16_t td_lock_hooks;        /* (c) LOCK_HOOK_*, lock/lock_hooks.h */
	uint16_t td_rw_rlocks;         /* (o) rwlocks held for reading */
	uint16_t td_sx_slocks;         /* (o) sx locks held shared */
	void *td_pv_held;              /* (o) pv list lock held, or NULL */
	struct held_line *td_held;     /* (c) what it publishes, lock/held.h */
	uint64_t *td_rseq_cs;          /* (c) see sim/asym.h; NULL: portable */
	struct machine *td_machine;    /* (c) */
	struct vm_pgcache *td_pgcache; /* (c) */
	uint32_t td_id;                /* (c) index in the registry */
	uint32_t td_cpu;               /* (c) CPU of the machine, from 0 */

	/* Second line: waiting.  Others write here. */
	_Alignas(CACHE_LINE_SIZE) _Atomic uint32_t td_park; /* (a) the token */
	uint32_t td_ts_flags;                               /* (t) */
	struct thread *td_ts_next;         /* (t) next on a blocked queue */
	struct thread *td_ts_prev;         /* (t) */
	const void *_Atomic td_blocked_on; /* (a) lock word waited for */
	struct turnstile *td_ts_blocked;   /* (t) turnstile waited on */
	int td_ts_pri;                     /* (t) its place on the queue */
	_Atomic bool td_attached;          /* (a) the slot is in use */
	uint32_t td_ts_nth;                /* (t) times it went on a queue */
	struct thread *td_free_next;       /* (r) */

	/* Third line: priority, own and lent.  Others write here too. */
	_Alignas(CACHE_LINE_SIZE) struct leaf_lock td_pri_lock;
	uint32_t td_tid;        /* (c) so_tid() of the host thread */
	int td_pri;             /* (p) PRI_*, with what is lent */
	int td_base_pri;        /* (p) its own */
	int td_host_pri;        /* (p) so_host_pri() at the last block */
	struct pi_word td_loan; /* (a) word of so_lend() */
	struct turnstile *td_contested; /* (p) what lends to it */
	struct thread *td_lent_to;      /* (t) who has td_loan, or NULL */
	struct thread *td_loan_next;    /* (t) list of td_returns */
	bool td_lends_exact;            /* (t) to an owner, not a suspect */
	struct thread *td_returns;      /* (o) loans to give back */

	/* Fourth line: what the thread writes down about itself. */
	_Alignas(
	    CACHE_LINE_SIZE) struct turnstile *td_turnstile; /* (o) spare */
	uint64_t td_ts_since_ns;           /* (o) when it began to wait */
	uint64_t td_met_ns;                /* (o) it last met a held lock */
	uint64_t td_turn_ns;               /* (o) its turn began */
	int td_domain;                     /* (c) memory domain of td_cpu */
	struct lock_prof_thread *td_prof;  /* (c) */
	struct witness_thread *td_witness; /* (c) */
	struct pmap_invl *td_invl;         /* (c) */
	_Alignas(CACHE_PAIR_SIZE) struct counter_set td_counters; /* (o) */
};

/* What a kernel does and the model does not: n units of it. */
enum sim_cost {
	SIM_COMPUTE_NS, /* user code: nanoseconds on an idle core */
	SIM_SYSCALL,    /* entries into the kernel */
	SIM_FAULT,      /* page faults: the trap */
	SIM_PAGE_CLEAR, /* pages of 4 KB */
	SIM_PAGE_COPY,
	SIM_IPI,          /* shootdowns that were begun */
	SIM_IPI_TARGET,   /* one more CPU is interrupted: n is its number */
	SIM_LOCK_PROFILE, /* entries of the lock profile */
	SIM_PV_CHUNK,     /* chunks of pv entries that are freed */
	NSIM_COSTS
};

struct sim_ops {
	const char *so_name;
	/* Monotonic nanoseconds; cheap enough to call at each lock operation. */
	uint64_t (*so_clock_ns)(struct sim *sim);
	/*
	 * Block the calling thread until its token is set, then take the token.
	 * so_wake sets it; a token set before so_block makes so_block return at
	 * once, so nothing is lost.  so_wake is a release, the return of
	 * so_block an acquire.  Tokens do not add up, and one may be stale, from
	 * a waker of the slot's former thread: who blocks looks, on return,
	 * whether it has what it waited for.  so_block_until gives up at a
	 * deadline of the clock above and returns false.
	 */
	void (*so_block)(struct thread *td);
	bool (*so_block_until)(struct thread *td, uint64_t deadline_ns);
	void (*so_wake)(struct thread *td);
	/*
	 * Block and lend.  so_lend(td, to), called by td or before td can block:
	 * the next so_block_lent(td) lends the priority that td has on the host
	 * to the thread to, and through it to whomever that lends to, until to
	 * itself calls so_unlend(td); nothing else ends it but the deadline
	 * (UINT64_MAX: none).  Returns 0 when the loan was given back, also
	 * before the call.  Else the loan stands: ETIMEDOUT; ENOMEM; ESRCH, to
	 * is gone; EDEADLK, to waits for td.  No host has to notice the last
	 * two.  Then td calls so_lend_cancel(), if it is
	 * certain that to will not call so_unlend(), or so_block_lent() again.
	 * Tokens are not looked at.  Orders nothing.  Where the host cannot
	 * lend, it just blocks.
	 */
	void (*so_lend)(struct thread *td, const struct thread *to);
	int (*so_block_lent)(struct thread *td, uint64_t deadline_ns);
	void (*so_unlend)(struct thread *td);
	void (*so_lend_cancel)(struct thread *td);
	/*
	 * The priority of a thread in the eyes of the host, without what is lent
	 * to it: below PRI_HOST_END where it is one that can be lent; else
	 * PRI_NONE.
	 */
	int (*so_host_pri)(const struct thread *td);
	/*
	 * For leaf_lock.h.  A number that names the calling host thread, not 0,
	 * below 2^30; and the slow paths of a word that is 0 or the number of
	 * its holder, with bits above that are so_pi_lock's own.  A holder that
	 * has lost its CPU gets the priority of those that wait.
	 */
	uint32_t (*so_tid)(void);
	void (*so_pi_lock)(struct pi_word *pw, uint32_t tid);
	void (*so_pi_unlock)(struct pi_word *pw);
	/* See sim/asym.h. */
	bool (*so_asym_init)(void);
	uint64_t *(*so_asym_thread)(void);
	void (*so_asym_barrier)(void);
	/* Inside a spin loop: pass n units of time without touching memory. */
	void (*so_spin)(struct sim *sim, unsigned n);
	/* Let somebody else run on this CPU. */
	void (*so_yield)(struct sim *sim);
	/*
	 * Start a host thread (not attached) on the host CPU numbered hostcpu by
	 * the operating system, or anywhere (-1); join it.  Return 0 or errno.
	 * A thread that may not run on hostcpu runs anywhere; sim_unbound counts.
	 */
	int (*so_thread_create)(struct sim *sim, int hostcpu,
	    void (*fn)(void *), void *arg, void **handlep);
	int (*so_thread_join)(struct sim *sim, void *handle);
	/*
	 * What follows is NULL where the host's own time passes.
	 *
	 * td was attached by its thread, which runs on CPU td_cpu from here on;
	 * or is about to be detached.
	 */
	void (*so_attach)(struct thread *td);
	void (*so_detach)(struct thread *td);
	/* Work that the model leaves out takes time: see enum sim_cost. */
	void (*so_charge)(struct sim *sim, enum sim_cost what, uint64_t n);
	/* Until the same with false nothing takes time: building, checking. */
	void (*so_untimed)(struct sim *sim, bool on);
	/*
	 * td begins to wait for a lock of this class, "pmap pv list", or, with
	 * NULL, has it.  For those that account for waiting.
	 */
	void (*so_waits)(struct thread *td, const char *name);
	/* td has taken the lock at key exclusively, after a wait or at once. */
	void (*so_owns)(struct thread *td, const char *name, const void *key);
	/*
	 * As so_spin; and until deadline_ns the caller does nothing but look at
	 * memory, find it unchanged, and call this again with the same n.  Who can
	 * tell that it would passes several rounds at once.
	 */
	void (*so_spin_until)(
	    struct sim *sim, unsigned n, uint64_t deadline_ns);
	/* CPUs that there are for a machine's; NULL: those of the host. */
	unsigned (*so_ncpus)(void);
	/*
	 * Does td, which may have left, have a CPU at this moment?  1, 0, or -1:
	 * nobody can tell, as of the threads of a host.
	 */
	int (*so_runs)(const struct thread *td);
};

extern const struct sim_ops sim_real_ops;
extern const struct sim_ops sim_virtual_ops;
/* Those of this build: real mode, or the virtual machine. */
extern const struct sim_ops *const sim_native_ops;

struct sim {
	const struct sim_ops *sim_ops;
	struct kmem *sim_kmem;
	unsigned sim_ncpus;      /* of the machine */
	bool sim_oversubscribed; /* more machine CPUs than host CPUs */
	unsigned sim_spin_ns;    /* what a unit of so_spin takes, at least 1 */
	bool sim_asym;           /* releases are asymmetric, sim/asym.h */
	/* Some thread's priority is or was not PRI_DEFAULT; never reset. */
	_Atomic bool sim_pri_mixed;
	/* Some thread that blocked had another so_host_pri() than PRI_NONE. */
	_Atomic bool sim_host_mixed;
	void *sim_locks; /* lock layer's own, struct lock_env */
	struct sim_registry *sim_registry;
	/* Counters of threads that have left; registry mutex. */
	struct counter_set sim_retired;
	/* Threads that could not be bound to the host CPU they were given. */
	_Atomic unsigned sim_unbound;
};

int sim_create(struct kmem *km, const struct sim_ops *ops, unsigned ncpus,
    struct sim **simp);
/* No thread may be attached.  Accepts NULL. */
void sim_destroy(struct sim *sim);

/*
 * Take a slot of the registry for the calling thread and make it curthread().
 * cpu < sim_ncpus; several threads may name the same one.  Returns 0, ENOMEM.
 */
int sim_thread_attach(
    struct sim *sim, unsigned cpu, int domain, struct thread **tdp);
/*
 * td is curthread(), which becomes NULL; its counters are kept.  Waits for an
 * RCU grace period: not from within a reader.
 */
void sim_thread_detach(struct thread *td);

/* Make td, an attachment of the calling host thread, current.  NULL: none. */
void sim_thread_switch(struct thread *td);

/*
 * Call fn for every attached thread, under RCU: threads that come or go
 * meanwhile may or may not be seen.  A thread that is seen may leave, but until
 * fn returns its slot is not used again and its (c) fields stand still; whoever
 * sets one of them after sim_thread_attach() orders that with such readers.  fn
 * must not block.  The caller need not be attached.
 */
void sim_thread_foreach(
    struct sim *sim, void (*fn)(struct thread *td, void *arg), void *arg);
unsigned sim_nthreads(struct sim *sim);

/* Sum over all threads, present and past. */
uint64_t sim_counter(struct sim *sim, enum counter c);

/* The thread that runs.  NULL where the host thread is not attached. */
extern _Thread_local struct thread *sim_curthread;

static inline struct thread *
curthread(void)
{
	return (sim_curthread);
}

static inline uint64_t
sim_clock_ns(struct sim *sim)
{
	return (sim->sim_ops->so_clock_ns(sim));
}

static inline void
sim_spin_until(struct sim *sim, unsigned n, uint64_t deadline_ns)
{
	if (sim->sim_ops->so_spin_until != NULL)
		sim->sim_ops->so_spin_until(sim, n, deadline_ns);
	else
		sim->sim_ops->so_spin(sim, n);
}

static inline void
sim_charge(struct sim *sim, enum sim_cost what, uint64_t n)
{
	if (sim->sim_ops->so_charge != NULL)
		sim->sim_ops->so_charge(sim, what, n);
}

static inline void
sim_untimed(struct sim *sim, bool on)
{
	if (sim->sim_ops->so_untimed != NULL)
		sim->sim_ops->so_untimed(sim, on);
}

#endif /* SIM_SIM_H */
