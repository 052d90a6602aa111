/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The registry of what threads publish: see held.h.
 *
 * Lines are in chunks of 64, 128, 256, ...  A chunk is made by the first thread
 * whose line is in it, and whoever loses that race frees its own.
 */

#include "lock/held.h"

#include <errno.h>
#include <inttypes.h>

/*
 * No more than these are told by their number.  The owner may be beyond; then it
 * is found once some of them, who run, are gone.
 */
#define SUSPECTS 16

static uint32_t
chunk_lines(unsigned c)
{
	return ((uint32_t)HELD_FIRST << c);
}

static size_t
chunk_bytes(unsigned c)
{
	return (chunk_lines(c) * sizeof(struct held_line));
}

/* Chunk c begins with line 64 * (2^c - 1). */
static unsigned
chunk_of(uint32_t id, uint32_t *ip)
{
	unsigned c = 0;

	while (id >= chunk_lines(c))
		id -= chunk_lines(c++);
	*ip = id;
	return (c);
}

int
held_attach(struct held_registry *hr, struct thread *td)
{
	struct held_line *chunk, *old = NULL;
	uint32_t i, n;
	unsigned c = chunk_of(td->td_id, &i);

	if (c >= HELD_CHUNKS)
		return (ENOMEM);
	/* Acquire: pairs with the CAS below. */
	chunk = atomic_load_explicit(&hr->hr_chunk[c], memory_order_acquire);
	if (chunk == NULL) {
		chunk = kmem_alloc(td->td_sim->sim_kmem, chunk_bytes(c),
		    CACHE_PAIR_SIZE, M_LOCK, KMEM_ANYDOMAIN);
		if (chunk == NULL)
			return (ENOMEM);
		/* Release: publishes the zeroes; acquire: the other's. */
		if (!atomic_compare_exchange_strong_explicit(&hr->hr_chunk[c],
			&old, chunk, memory_order_acq_rel,
			memory_order_acquire)) {
			kmem_free(td->td_sim->sim_kmem, chunk, chunk_bytes(c),
			    M_LOCK, KMEM_ANYDOMAIN);
			chunk = old;
		}
	}
	td->td_held = &chunk[i];
	/* Release: what the thread is, to held_scan(). */
	atomic_store_explicit(&chunk[i].hl_td, td, memory_order_release);
	/* Relaxed: the CAS below decides. */
	n = atomic_load_explicit(&hr->hr_n, memory_order_relaxed);
	/* Release: publishes the line. */
	while (n <= td->td_id &&
	    !atomic_compare_exchange_weak_explicit(&hr->hr_n, &n, td->td_id + 1,
		memory_order_release, memory_order_relaxed))
		continue;
	return (0);
}

void
held_destroy(struct held_registry *hr, struct sim *sim)
{
	struct held_line *chunk;

	for (unsigned c = 0; c < HELD_CHUNKS; c++) {
		/* Relaxed: the last user is us. */
		chunk = atomic_load_explicit(
		    &hr->hr_chunk[c], memory_order_relaxed);
		if (chunk != NULL)
			kmem_free(sim->sim_kmem, chunk, chunk_bytes(c), M_LOCK,
			    KMEM_ANYDOMAIN);
	}
}

static bool
publishes(const struct held_line *hl, const void *word)
{
	for (unsigned s = 0; s < HELD_SLOTS; s++) {
		/* Acquire: pairs with held_publish(); for the thread. */
		if (atomic_load_explicit(
			&hl->hl_word[s], memory_order_acquire) == word)
			return (true);
	}
	return (false);
}

static bool
is_blocked(const struct thread *td)
{
	/* Seq_cst: see turnstile_cycle.c. */
	return (atomic_load_explicit(
		    &td->td_blocked_on, memory_order_seq_cst) != NULL);
}

unsigned
held_scan(struct held_registry *hr, const struct thread *td, const void *word,
    unsigned nth, struct thread **tdp)
{
	struct thread *blocked = NULL, *suspect, *suspects[SUSPECTS];
	struct held_line *chunk;
	unsigned found = 0;
	uint32_t n;

	/*
	 * In one pass: a second may find others, and take for the owner who was
	 * not there when the owner was alone.
	 *
	 * Acquire: pairs with held_attach().
	 */
	n = atomic_load_explicit(&hr->hr_n, memory_order_acquire);
	for (unsigned c = 0; n > 0; c++) {
		/* Acquire: as above. */
		chunk = atomic_load_explicit(
		    &hr->hr_chunk[c], memory_order_acquire);
		for (uint32_t i = 0; i < chunk_lines(c) && n > 0; i++, n--) {
			if (chunk == NULL || !publishes(&chunk[i], word))
				continue;
			/* Acquire: pairs with held_attach(). */
			suspect = atomic_load_explicit(
			    &chunk[i].hl_td, memory_order_acquire);
			if (suspect == NULL || suspect == td)
				continue;
			if (found < SUSPECTS)
				suspects[found] = suspect;
			found++;
			if (nth != HELD_BLOCKED) {
				if (found == SUSPECTS)
					n = 1;
				continue;
			}
			/* First that it waits, then that it publishes. */
			if (is_blocked(suspect) && publishes(&chunk[i], word))
				blocked = suspect;
		}
	}
	if (found <= 1)
		*tdp = found == 1 ? suspects[0] : NULL;
	else
		*tdp = nth == HELD_BLOCKED ? blocked : suspects[nth % found];
	return (found);
}

const void *_Atomic *
held_find(struct thread *td, const void *word)
{
	const void *_Atomic *slot = td->td_held->hl_word;

	for (unsigned s = 0; s < HELD_SLOTS; s++) {
		/* Relaxed: our own. */
		if (atomic_load_explicit(&slot[s], memory_order_relaxed) ==
		    word)
			return (&slot[s]);
	}
	return (NULL);
}

__slowpath const void *_Atomic *
held_spare(struct thread *td)
{
	const void *_Atomic *slot = held_find(td, NULL);

	if (slot == NULL)
		panic("thread %" PRIu32 " holds %d locks without an owner",
		    td->td_id, HELD_SLOTS);
	return (slot);
}
