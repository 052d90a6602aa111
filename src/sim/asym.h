/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIM_ASYM_H
#define SIM_ASYM_H

/*
 * Releases without an atomic read-modify-write.
 *
 * To release a lock whose word others may be marking, a thread has to look at
 * the mark and free the word in one step.  An atomic operation is such a step,
 * and half of what an uncontended lock costs.  Here it is a load, a test and a
 * store, in a section that the kernel restarts where it was interrupted (Linux's
 * restartable sequences); and whoever sets the mark calls so_asym_barrier(),
 * which restarts every such section of the process.  The one that blocks pays
 * for those that do not.
 *
 *	release		blocker, under the chain lock
 *
 *	1. v = *word	a. CAS sets the mark
 *	2. v marked?	b. so_asym_barrier()
 *	3. *word = w	c. the word is held and marked, or try again
 *
 * "Restarted" is what the kernel calls it; ours fails instead, as if it had seen
 * the mark, and the release takes the way by the chain lock.  Begun anew it would
 * never end under a debugger that stops after each instruction.
 *
 * A section that was between 1 and 3 at b takes that way too.  One
 * that had done 3 is seen by c: the word is free, or held by another without the
 * mark.  One that begins after b sees the mark.  So when c has succeeded no
 * release goes unnoticed, until the mark is taken off again.
 *
 * The barrier interrupts every CPU on which the process runs, while the chain lock
 * is held, and waits in the kernel for a lock that all processes share: others that
 * call membarrier(2) all the time, or one that has lost its CPU there, hold it up
 * whatever the caller's priority is.  Who needs a bound on that, as real-time
 * threads do, chooses the portable form.
 *
 * The barrier must not fail: without it a release may go unnoticed, and a thread
 * sleep for good.  asym_init() calls it once in earnest.  What the kernel can
 * answer after that: EINVAL and EPERM, for a process that is not registered, but
 * one that is stays so until it execs; ENOMEM, and then it is asked again; and
 * whatever a seccomp filter says that was set since, or in the calling thread only.
 * That last one is a panic.  Nothing could stand in for the barrier: to go over to
 * the portable form all threads would have to be known to be outside a section,
 * which is what the barrier is for.
 *
 * Which form a thread uses is td_rseq_cs: NULL is the portable one.  Whether a
 * blocker must call the barrier is sim_asym, for all threads of a sim alike.
 * Threads of both forms mix.  PMAPSIM_RELEASE=portable in the environment chooses
 * the portable form for all; sanitizer builds and the virtual machine, which do not see
 * into the section, know no other.
 *
 * arm64 has restartable sequences too.  Its release is portable all the same:
 * nobody has run the other form there.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kern/sanitizer.h"

/* so_asym_init: can this process?  Any thread, any number of times. */
bool asym_init(void);
/* so_asym_thread: where the calling thread announces a section, or NULL. */
uint64_t *asym_thread(void);
/* so_asym_barrier: restart all sections. */
void asym_barrier(void);

#if defined(__x86_64__) && defined(__linux__) && !SANITIZED &&                 \
    !defined(PMAPSIM_VIRTUAL)
#define ASYM_POSSIBLE 1
#else
#define ASYM_POSSIBLE 0
#endif

#if ASYM_POSSIBLE

/*
 * A word is passed to the compiler as a plain one: it would make a copy of an
 * atomic one.
 *
 * 0: the announcement, 1 to 2: the section, whose last instruction is the store,
 * 3: its description for the kernel, 4: where the kernel sends a thread that was
 * interrupted within; the bytes before 4 are the signature that glibc registers.
 */
#define ASYM_SECTION(body)                                                     \
	".pushsection __rseq_cs, \"aw\"\n\t"                                   \
	".balign 32\n\t"                                                       \
	"3:\n\t"                                                               \
	".long 0, 0\n\t"                                                       \
	".quad 1f, 2f - 1f, 4f\n\t"                                            \
	".popsection\n\t"                                                      \
	".pushsection __rseq_failure, \"ax\"\n\t"                              \
	".byte 0x0f, 0xb9, 0x3d\n\t"                                           \
	".long 0x53053053\n\t"                                                 \
	"4:\n\t"                                                               \
	"jmp %l[no]\n\t"                                                       \
	".popsection\n\t"                                                      \
	"0:\n\t"                                                               \
	"leaq 3b(%%rip), %%rax\n\t"                                            \
	"movq %%rax, %[cs]\n\t"                                                \
	"1:\n\t" body "2:\n\t"

/*
 * *word += delta, unless *word has one of the bits of mark or is above max:
 * then false, and nothing is changed.  Release: amd64's stores are.
 */
static inline bool
asym_add32(uint64_t *rseq_cs, _Atomic uint32_t *word, uint32_t delta,
    uint32_t mark, uint32_t max)
{
	__asm__ goto(
	    ASYM_SECTION("movl %[word], %%eax\n\t"
			 "testl %[mark], %%eax\n\t"
			 "jnz %l[no]\n\t"
			 "cmpl %[max], %%eax\n\t"
			 "ja %l[no]\n\t"
			 "addl %[delta], %%eax\n\t"
			 "movl %%eax, %[word]\n\t")
	    : /* none */
	    : [cs] "m"(*rseq_cs), [word] "m"(*(uint32_t *)(uintptr_t)word),
	    [delta] "r"(delta), [mark] "r"(mark), [max] "r"(max)
	    : "rax", "cc", "memory"
	    : no);
	return (true);
no:
	return (false);
}

/* *word = 0 if it is v; else false, and nothing is changed.  Release. */
static inline bool
asym_clear64(uint64_t *rseq_cs, _Atomic uint64_t *word, uint64_t v)
{
	__asm__ goto(ASYM_SECTION("cmpq %[v], %[word]\n\t"
				  "jne %l[no]\n\t"
				  "movq $0, %[word]\n\t")
		     : /* none */
		     : [cs] "m"(*rseq_cs),
		     [word] "m"(*(uint64_t *)(uintptr_t)word), [v] "r"(v)
		     : "rax", "cc", "memory"
		     : no);
	return (true);
no:
	return (false);
}

#else /* not ASYM_POSSIBLE: td_rseq_cs is NULL, so these are not reached */

static inline bool
asym_add32(uint64_t *rseq_cs, _Atomic uint32_t *word, uint32_t delta,
    uint32_t mark, uint32_t max)
{
	(void)rseq_cs;
	(void)word;
	(void)delta;
	(void)mark;
	(void)max;
	return (false);
}

static inline bool
asym_clear64(uint64_t *rseq_cs, _Atomic uint64_t *word, uint64_t v)
{
	(void)rseq_cs;
	(void)word;
	(void)v;
	return (false);
}

#endif

#endif /* SIM_ASYM_H */
