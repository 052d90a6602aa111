/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KERN_CAS2_H
#define KERN_CAS2_H

/*
 * Two words that are compared and swapped as one.
 *
 * C's own 16-byte atomics are no way to it: without a flag for the whole program
 * compilers call libatomic, which may take a lock.  So this is the instruction
 * itself, where there is one: cmpxchg16b, which every x86-64 of this century but
 * the first few have, and which a look at CPUID makes certain; ldaxp and stlxp, which
 * every ARMv8 has.  Not casp: it comes with ARMv8.1 only and is better only
 * where many CPUs fight for one pair, for which nobody here uses it.  Elsewhere
 * cas2_supported() is false and nothing else may be called.
 *
 * The two words are also loaded one by one, as plain C11 atomics.  Such a pair
 * may be torn; the swap that follows compares both and so finds that out.
 *
 * ThreadSanitizer does not see the instruction.  A swap that succeeds is told to
 * it as a release before and an acquire after, on each of the words, which is
 * where acquire loads of that word find it.
 *
 * In a virtual machine the swap is a call, since it is an event there.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kern/sanitizer.h"

struct cas2 {
	_Alignas(16) _Atomic uint64_t c2_lo;
	_Atomic uint64_t c2_hi;
};
_Static_assert(sizeof(struct cas2) == 16, "what the instruction swaps");

#if defined(PMAPSIM_VIRTUAL)

bool virt_cas2(void *p, uint64_t olo, uint64_t ohi, uint64_t lo, uint64_t hi);

static inline bool
cas2_supported(void)
{
	return (true);
}

static inline bool
cas2_insn(struct cas2 *p, uint64_t olo, uint64_t ohi, uint64_t lo, uint64_t hi)
{
	return (virt_cas2(p, olo, ohi, lo, hi));
}

#elif defined(__x86_64__)

bool cas2_supported(void);

static inline bool
cas2_insn(struct cas2 *p, uint64_t olo, uint64_t ohi, uint64_t lo, uint64_t hi)
{
	bool ok;

	__asm__ volatile("lock cmpxchg16b %[p]\n\tsete %[ok]"
			 : [p] "+m"(*p), [ok] "=qm"(ok), "+a"(olo), "+d"(ohi)
			 : "b"(lo), "c"(hi)
			 : "cc", "memory");
	return (ok);
}

#elif defined(__aarch64__)

bool cas2_supported(void);

static inline bool
cas2_insn(struct cas2 *p, uint64_t olo, uint64_t ohi, uint64_t lo, uint64_t hi)
{
	uint64_t vlo, vhi;
	uint32_t fail;

	/*
	 * One statement: what a compiler could put between the two instructions
	 * might end the exclusive access each time.  Without the store nothing
	 * says that the two halves are of one time, so "different" may be wrong;
	 * who is told so tries again.
	 */
	__asm__ volatile(
	    "1:	ldaxp	%[vlo], %[vhi], %[p]\n"
	    "	mov	%w[fail], #1\n"
	    "	cmp	%[vlo], %[olo]\n"
	    "	ccmp	%[vhi], %[ohi], #0, eq\n"
	    "	b.ne	2f\n"
	    "	stlxp	%w[fail], %[lo], %[hi], %[p]\n"
	    "	cbnz	%w[fail], 1b\n"
	    "2:	clrex\n"
	    "	dmb	ish"
	    :
	    [vlo] "=&r"(vlo), [vhi] "=&r"(vhi), [fail] "=&r"(fail), [p] "+Q"(*p)
	    : [olo] "r"(olo), [ohi] "r"(ohi), [lo] "r"(lo), [hi] "r"(hi)
	    : "cc", "memory");
	return (fail == 0);
}

#else

static inline bool
cas2_supported(void)
{
	return (false);
}

static inline bool
cas2_insn(struct cas2 *p, uint64_t olo, uint64_t ohi, uint64_t lo, uint64_t hi)
{
	(void)p, (void)olo, (void)ohi, (void)lo, (void)hi;
	return (false);
}

#endif

/*
 * If *p is {olo, ohi}, make it {lo, hi} and return true.  False: it was not, or
 * was being changed.  A full barrier where it succeeds.
 */
static inline bool
cas2(struct cas2 *p, uint64_t olo, uint64_t ohi, uint64_t lo, uint64_t hi)
{
	bool ok;

	tsan_release(&p->c2_lo);
	tsan_release(&p->c2_hi);
	ok = cas2_insn(p, olo, ohi, lo, hi);
	if (ok) {
		tsan_acquire(&p->c2_lo);
		tsan_acquire(&p->c2_hi);
	}
	return (ok);
}

#endif /* KERN_CAS2_H */
