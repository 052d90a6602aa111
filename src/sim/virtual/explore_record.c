/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is written down of an event, and what the detector of races is told.
 *
 * A strategy is told of a plain store before it is done, so what it stores is read
 * when the fiber's next event comes: the fiber has not stopped in between.
 */
#include <string.h>

#include "sim/virtual/explore_impl.h"

static bool
is_plain(enum virt_kind kind)
{
	return (kind == VA_READ || kind == VA_WRITE);
}

static uint64_t
read_value(uintptr_t addr, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, (const void *)addr, size);
	return (v);
}

/* The last store of self has been done by now: what is there? */
void
engine_settle(struct engine *e, unsigned self)
{
	struct ex_fiber *ef = &e->e_fibers[self];
	struct ex_event *ee;

	if (ef->ef_pending == EX_NOT_KNOWN)
		return;
	ee = &e->e_config.xc_events[ef->ef_pending];
	ee->ee_new = read_value(ee->ee_addr, ee->ee_size);
	ef->ef_pending = EX_NOT_KNOWN;
}

struct ex_event *
engine_record(struct engine *e, unsigned self, enum ex_event_kind kind)
{
	struct ex_result *er = e->e_result;
	struct ex_event *ee;

	if (er->er_nevents >= e->e_config.xc_nevents)
		return (NULL);
	ee = &e->e_config.xc_events[er->er_nevents++];
	*ee = (struct ex_event){
		.ee_event = e->e_fibers[self].ef_events,
		.ee_fiber = (uint8_t)self,
		.ee_kind = (uint8_t)kind,
		.ee_point = e->e_point,
	};
	return (ee);
}

void
engine_record_access(
    struct engine *e, unsigned self, const struct virt_access *va)
{
	struct ex_event *ee = engine_record(e, self, EV_ACCESS);

	if (ee == NULL)
		return;
	ee->ee_addr = va->va_addr;
	ee->ee_pc = va->va_pc;
	ee->ee_size = (uint32_t)va->va_size;
	ee->ee_access = (uint8_t)va->va_kind;
	ee->ee_order = (uint8_t)va->va_order;
	if (va->va_size == 0 || va->va_size > 8 ||
	    (!is_plain(va->va_kind) && va->va_kind > VA_CAS_FAILED))
		return;
	ee->ee_values = true;
	if (!is_plain(va->va_kind)) {
		ee->ee_old = va->va_old;
		ee->ee_new = va->va_new;
		return;
	}
	ee->ee_old = read_value(va->va_addr, va->va_size);
	ee->ee_new = ee->ee_old;
	if (va->va_kind == VA_WRITE)
		e->e_fibers[self].ef_pending =
		    (uint32_t)(ee - e->e_config.xc_events);
}

/*
 * Races.
 */

const struct race_pair *
engine_race(struct engine *e, unsigned self, const struct virt_access *va)
{
	struct race_access ra = {
		.ra_addr = va->va_addr,
		.ra_pc = va->va_pc,
		.ra_step = e->e_fibers[self].ef_events,
		.ra_size = (uint8_t)(va->va_size > 16 ? 16 : va->va_size),
		.ra_fiber = (uint8_t)self,
		.ra_atomic = !is_plain(va->va_kind),
	};
	memory_order order = (memory_order)va->va_order;

	switch (va->va_kind) {
	case VA_READ:
		return (race_plain(e->e_race, &ra, va->va_size));
	case VA_WRITE:
		ra.ra_write = true;
		return (race_plain(e->e_race, &ra, va->va_size));
	case VA_ATOMIC_LOAD:
	case VA_CAS_FAILED:
		return (race_atomic(e->e_race, &ra, RACE_LOAD, order));
	case VA_ATOMIC_STORE:
		ra.ra_write = true;
		return (race_atomic(e->e_race, &ra, RACE_STORE, order));
	case VA_RMW:
		ra.ra_write = true;
		return (race_atomic(e->e_race, &ra, RACE_RMW, order));
	case VA_FENCE:
		race_fence(e->e_race, self, order);
		return (NULL);
	case VA_ACQUIRE:
		race_acquire(e->e_race, self, va->va_addr);
		return (NULL);
	case VA_RELEASE:
		race_release(e->e_race, self, va->va_addr);
		return (NULL);
	}
	return (NULL);
}
