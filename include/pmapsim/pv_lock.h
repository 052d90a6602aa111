/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PMAPSIM_PV_LOCK_H
#define PMAPSIM_PV_LOCK_H

/*
 * PV list locks: one exclusive, non-recursive lock for every pv header.
 *
 * The pmap layer never names a lock implementation.  It holds a pointer to one
 * struct pv_lock_ops, picked once by name, and an untyped word.  A backend is
 * one file, src/lock/lock_*.c, that defines one const table; a program adds its
 * own in machine_config.mc_locks and gets every test and every workload.
 *
 * Where the word lies.  With plo_size > 0 the word has plo_size bytes, is
 * plo_align aligned and lies at the start of the header, before the list head.
 * With plo_size == 0 and plo_gen_bits > 0 the lock lives in the low
 * plo_gen_bits bits of the header's 32-bit generation: the word is that
 * _Atomic uint32_t, the backend owns all of it, and plo_unlock(word, true) adds
 * one generation, 1 << plo_gen_bits, in the same store that releases the lock.
 * The size of a header follows:
 *
 *	backend		plo_size  plo_gen_bits	header bytes
 *	rwlock		32	  0		64
 *	pthread_mutex	40	  0		72 (Linux, amd64)
 *	mtx8		8	  0		40
 *	gen2		0	  2		32
 *	gen1		0	  1		32
 *
 * Every backend promises that unlock publishes what the holder wrote to the
 * next holder, and that plo_lock and plo_unlock neither allocate nor fail.
 * Fairness, and that zeroed memory is an unlocked word, only with its flag.
 *
 * Threads.  All calls come from threads attached to the machine that owns the
 * word, except plo_init and plo_destroy, which come while no other thread knows
 * it.  A thread holds at most one pv list lock at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLO_ZEROINIT 0x1u  /* a zeroed word is an unlocked lock: no plo_init */
#define PLO_FAIR     0x2u  /* waiters acquire in arrival order */
#define PLO_SPIN     0x4u  /* waiters never block */
#define PLO_NOLOCK   0x8u  /* excludes nobody: one thread only */
#define PLO_GENERIC  0x10u /* a peer made outside this library */

/* Largest word any backend may ask for, in bytes. */
#define PV_LOCK_WORD_MAX 128

struct pv_lock_ops {
	const char *plo_name;  /* CLI and report name, [a-z][a-z0-9_]* */
	const char *plo_descr; /* one line for people */
	size_t plo_size;       /* bytes, multiple of 4, <= PV_LOCK_WORD_MAX */
	size_t plo_align;      /* bytes, a power of two <= 64; 0 means 8 */
	unsigned plo_gen_bits; /* 0 to 2; the lock's bits in the generation */
	uint32_t plo_flags;    /* PLO_* */

	int (*plo_init)(void *word); /* 0 or errno; NULL with ZEROINIT */
	/* NULL: nothing to undo.  With ZEROINIT: asserts, may not be called. */
	void (*plo_destroy)(void *word);
	void (*plo_lock)(void *word);
	bool (*plo_trylock)(void *word); /* may fail spuriously */
	void (*plo_unlock)(void *word, bool modified);
	/*
	 * Does the calling thread hold the word?  For assertions only: a
	 * backend without an owner answers "held by somebody"; NULL answers
	 * true.
	 */
	bool (*plo_owned)(const void *word);
	/* Shared mode, all three or none; without it readers exclude. */
	void (*plo_rlock)(void *word);
	bool (*plo_tryrlock)(void *word);
	void (*plo_runlock)(void *word);
};

/*
 * Find one of the library's own backends by its name.
 *
 * Returns NULL when none has that name.  The table returned is constant and
 * lives as long as the program.  Any thread may call this at any time.
 */
const struct pv_lock_ops *pv_lock_ops_lookup(const char *name);

/*
 * The library's own backends in the order they are listed to people, ended by
 * NULL.  Constant, lives as long as the program.
 */
const struct pv_lock_ops *const *pv_lock_ops_list(void);

/*
 * Is this table complete and consistent?  Returns 0, or EINVAL with *whyp set
 * to a constant sentence that says what is wrong.  Called by whatever accepts a
 * foreign backend; a test of a new backend may start with it.
 */
int pv_lock_ops_check(const struct pv_lock_ops *ops, const char **whyp);

#endif /* PMAPSIM_PV_LOCK_H */
