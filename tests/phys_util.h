/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_PHYS_UTIL_H
#define TESTS_PHYS_UTIL_H

/*
 * A machine's physical memory for tests, with the calling thread attached, and
 * random numbers that a seed repeats.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "kern/sanitizer.h"
#include "phys/vm_phys_impl.h"

/* ThreadSanitizer refuses mappings of terabytes. */
#define PHYS_ADDRESS_SPACE_LIMITED SANITIZER_THREAD

struct phys_machine {
	struct kmem *pm_kmem;
	struct sim *pm_sim;
	struct vm_phys *pm_vp;
	struct thread *pm_td;
	const char *pm_why;
	unsigned pm_ncpus; /* set before opening; 0: 1 */
};

/* The shipped maps, by name, ended by NULL. */
extern const char *const phys_maps[];

/*
 * Open a machine, attach the calling thread to domain 0 with a page cache.
 * vpc may be NULL; its map is replaced.  Return 0 or vm_phys_create()'s errno
 * and pm_why, with nothing left behind.  pm is zeroed or a struct closed before.
 */
int phys_open(struct phys_machine *pm, const struct vm_phys_config *vpc);
int phys_open_text(
    struct phys_machine *pm, const char *map, const struct vm_phys_config *vpc);
int phys_open_map(struct phys_machine *pm, const char *name,
    const struct vm_phys_config *vpc);
/* Asserts that nothing leaks. */
void phys_close(struct phys_machine *pm);

/* Violations, each printed. */
unsigned phys_check(struct phys_machine *pm);

/* Attach and detach a worker thread. */
struct thread *phys_attach(struct phys_machine *pm, unsigned cpu, int domain);
void phys_detach(struct phys_machine *pm, struct thread *td);

/*
 * Threads that allocate, stamp, check their stamps and free, each rounds times,
 * and where there is no memory wait for it or go on.  Asserts that no stamp was
 * lost and that all pages are free in the end.
 */
void phys_run_workers(struct phys_machine *pm, unsigned rounds, bool wait);

/* Asserts that fn panics with a message that contains text. */
void phys_assert_panics(void (*fn)(void), const char *text);

/* PMAPSIM_SEED, or a fixed one; printed. */
uint64_t phys_seed(void);
uint64_t phys_random(uint64_t *state);

/* Path of a shipped map. */
void phys_map_path(const char *name, char *path, size_t size);

#endif /* TESTS_PHYS_UTIL_H */
