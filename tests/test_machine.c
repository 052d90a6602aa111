/* SPDX-License-Identifier: BSD-2-Clause */

/* Threads of several machines. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pmap_util.h"

static void
a_thread_works_for_several_machines(void **state)
{
	struct vm_page *ma, *mb;
	struct pu a, b;

	(void)state;
	pu_setup(&a, NULL, "sparse/gen2");
	pu_setup(&b, NULL, "hashed/rwlock");
	assert_ptr_equal(machine_thread_self(), b.pu_td);
	mb = pu_page(&b);
	machine_thread_use(a.pu_td);
	ma = pu_page(&a);
	pu_page_free(&a, ma);
	machine_thread_use(b.pu_td);
	pu_page_free(&b, mb);
	pu_teardown(&b);
	assert_null(machine_thread_self());
	machine_thread_use(a.pu_td);
	pu_teardown(&a);
}

static void
a_failed_attach_leaves_the_thread_where_it_was(void **state)
{
	struct kmem *km;
	struct pu a, b;
	int error;

	(void)state;
	pu_setup(&b, NULL, NULL);
	machine_thread_detach(b.pu_ma);
	pu_setup(&a, NULL, NULL);
	km = b.pu_ma->ma_kmem;
	for (uint64_t n = 1;; n++) {
		kmem_fail_nth(km, n);
		error = machine_thread_attach(b.pu_ma, 0);
		if (!kmem_failed(km))
			break;
		assert_int_equal(error, ENOMEM);
		assert_ptr_equal(machine_thread_self(), a.pu_td);
	}
	kmem_fail_nth(km, 0);
	assert_int_equal(error, 0);
	pu_teardown(&b);
	machine_thread_use(a.pu_td);
	pu_teardown(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_works_for_several_machines),
		cmocka_unit_test(
		    a_failed_attach_leaves_the_thread_where_it_was),
	};

	return (cmocka_run_group_tests_name("machine", tests, NULL, NULL));
}
