/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_RESERV_UTIL_H
#define TESTS_RESERV_UTIL_H

/* What the tests of reservations share: a machine whose clock they move. */

#include "phys/vm_reserv_impl.h"
#include "pmap_util.h"
#include "vm/vm_object.h"

#define RUN VM_LEVEL_0_NPAGES

extern struct pu ru_pu;
extern struct vm_phys *ru_vp;
/* Read by the machine's clock; ru_setup() sets it to 1. */
extern _Atomic uint64_t ru_ticks;

/* design NULL: sparse/rwlock; pages free at most, 0: all of 64 MB. */
void ru_setup(const char *design, uint64_t limit);
/* Asserts that all is in order. */
void ru_teardown(void);
/* The same for cmocka, with the defaults. */
int ru_begin(void **state);
int ru_end(void **state);

struct vm_object *ru_object(vm_pindex_t size, bool grows);
/* vm_object_alloc_page() and vm_object_free_page() under the object's lock. */
struct vm_page *ru_alloc(struct vm_object *obj, vm_pindex_t pindex);
void ru_free(struct vm_page *m);
/* vm_page_rename() under both objects' locks. */
void ru_rename(struct vm_page *m, struct vm_object *to, vm_pindex_t pindex);
/* The reservation that m is in. */
struct vm_reserv *ru_reserv(const struct vm_page *m);

uint64_t ru_seed(void);
uint64_t ru_random(uint64_t *x);

#endif /* TESTS_RESERV_UTIL_H */
