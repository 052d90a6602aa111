/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The public face of a machine: the pages and segments it hands out, and what it
 * refuses.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "pmapsim/panic.h"
#include "pmapsim/pmap.h"
#include "pmapsim/vm_phys.h"

static const char map_text[] = "0-a0000 usable 0\n"
			       "100000-2000000 usable 0\n"
			       "2000000-4000000 usable 1\n";

static struct machine *
machine_open(unsigned ncpus)
{
	struct machine_config mc = { .mc_ncpus = ncpus };
	struct memmap_error me;
	struct memmap *mm;
	struct machine *m;
	char err[200];

	assert_int_equal(
	    memmap_parse("test", map_text, strlen(map_text), &mm, &me), 0);
	mc.mc_map = mm;
	assert_int_equal(machine_create(&mc, &m, err, sizeof(err)), 0);
	memmap_free(mm);
	return (m);
}

static void
machine_close(struct machine *m)
{
	assert_int_equal(machine_destroy(m, stderr), 0);
}

static void
no_cpu_beyond_the_last_can_be_attached_to(void **state)
{
	struct machine *m = machine_open(2);

	(void)state;
	assert_int_equal(machine_thread_attach(m, 2), EINVAL);
	assert_null(machine_thread_self());
	assert_int_equal(machine_thread_attach(m, 1), 0);
	assert_non_null(machine_thread_self());
	machine_thread_detach(m);
	assert_null(machine_thread_self());
	machine_close(m);
}

static void
pages_come_where_they_are_asked_for_and_go_back(void **state)
{
	struct machine *m = machine_open(1);
	uint64_t before;
	struct vm_page *page;

	(void)state;
	assert_int_equal(machine_thread_attach(m, 0), 0);
	before = machine_free_pages(m);
	assert_null(vm_phys_page_alloc(m, 2, 0));
	assert_null(vm_phys_page_alloc(m, -2, 0));
	assert_null(vm_phys_page_alloc(m, 0, -1));
	assert_null(vm_phys_page_alloc(m, 0, VM_PHYS_ORDER_MAX + 1));
	page = vm_phys_page_alloc(m, 1, 9);
	assert_non_null(page);
	assert_true(VM_PAGE_TO_PHYS(page) >= 0x2000000);
	assert_int_equal(VM_PAGE_TO_PHYS(page) % NBPDR, 0);
	assert_int_equal(
	    VM_PAGE_TO_PHYS(&page[511]), VM_PAGE_TO_PHYS(page) + 511 * 4096);
	assert_ptr_equal(
	    vm_phys_paddr_to_vm_page(m, VM_PAGE_TO_PHYS(page)), page);
	assert_null(vm_phys_paddr_to_vm_page(m, 0xa0000));
	memset(vm_phys_dmap(m, VM_PAGE_TO_PHYS(page)), 0xff, NBPDR);
	assert_int_equal(machine_free_pages(m), before - 512);
	vm_phys_page_free(m, page, 9);
	assert_int_equal(machine_free_pages(m), before);
	assert_int_equal(machine_check(m, stderr), 0);
	machine_thread_detach(m);
	machine_close(m);
}

/* 2 MB at once, or made of 512; no more once a page has gone. */
static void
a_superpage_of_pages_is_mapped_as_one(void **state)
{
	const vm_prot_t rw = VM_PROT_READ | VM_PROT_WRITE;
	const vm_offset_t va = 0x40000000;
	struct machine *m = machine_open(1);
	struct pmap_pde_stats pds;
	struct vm_page *page;
	struct pmap *pmap;

	(void)state;
	assert_int_equal(machine_thread_attach(m, 0), 0);
	pmap = pmap_alloc(m);
	assert_non_null(pmap);
	assert_int_equal(pmap_pinit(pmap), KERN_SUCCESS);
	page = vm_phys_page_alloc(m, 1, 10);
	assert_non_null(page);
	for (unsigned r = 0; r < 2; r++)
		assert_int_equal(pmap_enter(pmap, va + r * NBPDR,
				     &page[r * 512], rw, VM_PROT_WRITE, 1),
		    KERN_SUCCESS);
	pmap_remove(pmap, va, va + 2 * NBPDR);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(pmap_enter(pmap, va + i * 4096, &page[i],
				     VM_PROT_READ, VM_PROT_READ, 0),
		    KERN_SUCCESS);
	pmap_pde_stats(m, &pds);
	assert_int_equal(pds.pds_mappings, 2);
	assert_int_equal(pds.pds_promotions, 1);
	assert_int_equal(machine_check(m, stderr), 0);
	pmap_remove(pmap, va, va + NBPDR);
	vm_phys_page_free(m, &page[517], 0);
	assert_int_equal(pmap_enter(pmap, va, &page[512], rw, VM_PROT_WRITE, 1),
	    KERN_INVALID_ARGUMENT);
	assert_int_equal(
	    pmap_enter(pmap, va, page, rw, VM_PROT_WRITE, 1), KERN_SUCCESS);
	pmap_remove(pmap, va, va + NBPDR);
	for (unsigned i = 0; i < 1024; i++) {
		if (i != 517)
			vm_phys_page_free(m, &page[i], 0);
	}
	pmap_release(pmap);
	pmap_free(pmap);
	assert_int_equal(machine_check(m, stderr), 0);
	machine_thread_detach(m);
	machine_close(m);
}

static void
segments_are_told(void **state)
{
	struct machine *m = machine_open(1);
	struct vm_phys_segment segs[8];

	(void)state;
	/* The second range is cut at 16 MB, where another free list begins. */
	assert_int_equal(vm_phys_segments(m, segs, 8), 4);
	assert_int_equal(segs[0].vps_end, 0xa0000);
	assert_int_equal(segs[1].vps_end, 0x1000000);
	assert_int_equal(segs[3].vps_start, 0x2000000);
	assert_int_equal(segs[3].vps_domain, 1);
	machine_close(m);
}

static void
kernel_addresses_are_refused(void **state)
{
	struct machine *m = machine_open(1);
	struct vm_page *page;
	struct pmap *pmap;

	(void)state;
	assert_int_equal(machine_thread_attach(m, 0), 0);
	page = vm_phys_page_alloc(m, -1, 0);
	pmap = pmap_alloc(m);
	assert_int_equal(pmap_pinit(pmap), KERN_SUCCESS);
	assert_int_equal(pmap_enter(pmap, VM_MAXUSER_ADDRESS, page,
			     VM_PROT_READ, VM_PROT_READ, 0),
	    KERN_INVALID_ADDRESS);
	assert_int_equal(
	    pmap_enter(pmap, PAGE_SIZE, page, VM_PROT_READ, VM_PROT_READ, 1),
	    KERN_INVALID_ARGUMENT);
	pmap_copy(pmap, pmap, 0, VM_MAXUSER_ADDRESS, 0);
	assert_int_equal(pmap_resident_count(pmap), 1);
	pmap_release(pmap);
	pmap_free(pmap);
	vm_phys_page_free(m, page, 0);
	machine_thread_detach(m);
	machine_close(m);
}

static jmp_buf panicked;
static char panic_text[200];

static void
panic_note(const char *file, int line, const char *msg)
{
	(void)file;
	(void)line;
	(void)snprintf(panic_text, sizeof(panic_text), "%s", msg);
	longjmp(panicked, 1);
}

static void
a_machine_in_use_is_not_destroyed(void **state)
{
	struct machine *m = machine_open(1);
	panic_handler_fn *handler = panic_handler;

	(void)state;
	assert_int_equal(machine_thread_attach(m, 0), 0);
	panic_handler = panic_note;
	if (setjmp(panicked) == 0)
		(void)machine_destroy(m, stderr);
	panic_handler = handler;
	assert_string_equal(
	    panic_text, "machine destroyed with 1 threads attached");
	/* An idle thread is one that may be waited with, not for. */
	machine_thread_idle_begin(m);
	machine_thread_idle_end(m);
	machine_thread_detach(m);
	machine_close(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_cpu_beyond_the_last_can_be_attached_to),
		cmocka_unit_test(
		    pages_come_where_they_are_asked_for_and_go_back),
		cmocka_unit_test(a_superpage_of_pages_is_mapped_as_one),
		cmocka_unit_test(segments_are_told),
		cmocka_unit_test(kernel_addresses_are_refused),
		cmocka_unit_test(a_machine_in_use_is_not_destroyed),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
