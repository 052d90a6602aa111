/* SPDX-License-Identifier: BSD-2-Clause */

/* The mutants of prop_rw_word.c. */

#include "lock/rw_word.h"
#include "rw_word_walk.h"

enum mutant rww_mutant;

/* Bits that the calling thread does not see, in what it does now. */
static uint64_t
unseen(void)
{
	unsigned doing = rww_self()->g_doing;

	switch (rww_mutant) {
	case READS_PAST_WAITER:
		return (doing == RLOCK ? RW_LOCK_WRITE_WAITERS : 0);
	case READS_PAST_SPINNER:
		return (doing == RLOCK ? RW_LOCK_WRITE_SPINNER : 0);
	case RUNLOCK_IGNORES_BITS:
		return (doing == RUNLOCK ? RW_LOCK_WAITERS : 0);
	default:
		return (0);
	}
}

static uint64_t
bend_load(uint64_t v)
{
	unsigned doing = rww_self()->g_doing;

	if (rww_mutant == BLOCKS_AT_FREE_WORD && doing == WLOCK && v == 0 &&
	    cwl_has_chain())
		return (RW_ONE_READER);
	if (rww_mutant == READS_PAST_WRITER && doing == RLOCK)
		return (v & ~RW_LOCK_WRITE & ~(RW_ONE_READER - 1));
	if (rww_mutant == UPGRADE_OF_TWO && doing == UPGRADE &&
	    rw_readers(v) == 2)
		return (v - RW_ONE_READER);
	return (v & ~unseen());
}

static void
bend_cas(uint64_t v, uint64_t *expectedp, uint64_t *newp)
{
	const uint64_t ww = RW_LOCK_WRITE_WAITERS, rww = RW_LOCK_READ_WAITERS;
	unsigned doing = rww_self()->g_doing;

	if (((v ^ *expectedp) & ~unseen()) == 0) {
		*newp |= v & unseen();
		*expectedp = v;
	}
	switch (rww_mutant) {
	case READS_PAST_WRITER:
		if (doing == RLOCK && (v & RW_LOCK_WRITE) != 0 &&
		    *newp == *expectedp + RW_ONE_READER) {
			*expectedp = v;
			*newp = v + RW_ONE_READER;
		}
		break;
	case BLOCKS_AT_FREE_WORD:
		if (doing == WLOCK && v == 0 && *expectedp == RW_ONE_READER) {
			*expectedp = 0;
			*newp = ww;
		}
		break;
	case READER_SETS_NO_BIT:
		if (doing == RLOCK && (*newp & ~*expectedp & rww) != 0)
			*newp &= ~rww;
		break;
	case READER_TAKES_WW:
		if (doing == RLOCK && (*newp & ~*expectedp & rww) != 0)
			*newp &= ~ww;
		break;
	case WRITER_SETS_NO_BIT:
		if (doing == WLOCK && (*newp & ~*expectedp & ww) != 0)
			*newp &= ~ww;
		break;
	case WRITER_DROPS_BITS:
		if (doing == WLOCK && (*newp & RW_LOCK_WRITE) != 0)
			*newp &= ~RW_LOCK_WAITERS;
		break;
	case WRITER_KEEPS_S:
		if (doing == WLOCK && (*newp & RW_LOCK_WRITE) != 0)
			*newp |= v & RW_LOCK_WRITE_SPINNER;
		break;
	case UPGRADE_DROPS_BITS:
		if (doing == UPGRADE)
			*newp &= ~RW_LOCK_WAITERS;
		break;
	case UPGRADE_OF_TWO:
		if (doing == UPGRADE && *expectedp + RW_ONE_READER == v)
			*expectedp = v;
		break;
	case SPINNER_KEEPS_S:
		if (doing == WLOCK && rw_readers(*newp) > 0)
			*newp |= v & RW_LOCK_WRITE_SPINNER;
		break;
	case WUNLOCK_IGNORES_BITS:
		if (doing == WUNLOCK && (v & ~RW_LOCK_WAITERS) == *expectedp)
			*expectedp = v;
		break;
	case RUNLOCK_TAKES_BITS:
		if (doing == RUNLOCK && rw_readers(*newp) == 0)
			*newp = 0;
		break;
	case SPINNER_IS_IGNORED:
		if (doing == RUNLOCK && rw_readers(*newp) == 0)
			*newp &= ~RW_LOCK_WRITE_SPINNER;
		break;
	case DOWNGRADE_DROPS_BITS:
		if (doing == DOWNGRADE && (v & ~RW_LOCK_WAITERS) == *expectedp)
			*expectedp = v;
		break;
	case DOWNGRADE_LEAVES_W:
		if (doing == DOWNGRADE)
			*newp |= RW_LOCK_WRITE;
		break;
	default:
		break;
	}
	if ((doing == RUNLOCK || doing == WUNLOCK) && *newp != *expectedp) {
		if (rww_mutant == RELEASE_DROPS_WW)
			*newp &= ~ww;
		if (rww_mutant == RELEASE_DROPS_RW)
			*newp &= ~rww;
	}
}

static uint64_t
bend_store(uint64_t v)
{
	if (rww_mutant == RELEASE_DROPS_WW)
		v &= ~RW_LOCK_WRITE_WAITERS;
	if (rww_mutant == RELEASE_DROPS_RW)
		v &= ~RW_LOCK_READ_WAITERS;
	return (v);
}

void
rww_bend(void)
{
	cwl_bends = (struct cwl_bends){
		.cb_load = bend_load,
		.cb_cas = bend_cas,
		.cb_store = bend_store,
		.cb_cas_is_two_steps = rww_mutant == CAS_IS_TWO_STEPS,
		.cb_wakes_nobody = rww_mutant == WAKES_NOBODY,
		.cb_returns_no_loan = rww_mutant == LOAN_IS_KEPT,
	};
}
