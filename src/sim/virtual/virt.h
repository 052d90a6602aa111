/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_VIRTUAL_VIRT_H
#define SIM_VIRTUAL_VIRT_H

/*
 * The virtual machine: N CPUs as fibers on one host thread.
 *
 * The sources of the library are compiled with -fsanitize=thread, and what the
 * compiler then calls at each access to memory (tsan.c) is not the sanitizer's
 * runtime but this.  A world is what there is at a time: its CPUs with a clock
 * each, its fibers, and either a coherence model that says what each access
 * costs (line.h) or a scheduler that explores (explore.h).
 *
 * There is one world in a process, since an instrumented access carries no
 * context; the thread that begins it is its first fiber, and is the one that
 * ends it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct explore;
struct preset;

struct virt_config {
	const struct preset *vc_preset; /* what accesses cost; not explore */
	unsigned vc_ncpus;              /* 1 to MACHINE_CPU_MAX */
	uint64_t vc_seed;
	/*
	 * Who waits sees whether an owner has its CPU (so_runs), as in a kernel,
	 * and spins as long as it has: not where an owner waits for waiters to
	 * sleep, nor to be compared with threads of a host, which cannot see it.
	 */
	bool vc_sees_cpus;
	struct explore *vc_explore; /* NULL: time decides who runs */
};

/*
 * Begin a world: the caller is its first fiber, on CPU 0, untimed.  Returns 0,
 * ENOMEM, or EBUSY when there is one.  The memory of the model (arena.h) is empty
 * and zero.
 */
int virt_begin(const struct virt_config *vc);
/* All other fibers have been joined.  Nothing of the model may be used after. */
void virt_end(void);
/* Is there a world? */
bool virt_on(void);

/*
 * What happened, in this order, since virt_begin(): two runs with the same
 * options have the same hash.
 */
uint64_t virt_event_hash(void);
/* Accesses that were modelled, and switches from one fiber to another. */
uint64_t virt_accesses(void);
uint64_t virt_switches(void);

/*
 * Arena memory from base on, size bytes, lies in a domain: -1, in none (then
 * that of the CPU that touches a line first).  Called by those who hand it out.
 */
void virt_home(const void *base, size_t size, int domain);
/*
 * These bytes are handed out, or taken back: what happened to them before is
 * nothing to who gets them.
 */
void virt_fresh(const void *p, size_t size);

/*
 * Two words of the arena, 16 bytes aligned, compared and swapped as one: the
 * instruction of kern/cas2.h, which no compiler instruments.
 */
bool virt_cas2(void *p, uint64_t olo, uint64_t ohi, uint64_t lo, uint64_t hi);

#endif /* SIM_VIRTUAL_VIRT_H */
