/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands around the runs in the records. */
#include "bench.h"
#include "compare.h"

void
compare_record_header(struct compare *co, const char *kind, json_t *env)
{
	json_t *o, *designs = json_array(), *threads = json_array();

	o = json_pack("{s:s, s:s, s:s, s:s}", "type", "header", "program",
	    "pmapsim compare", "kind", kind, "workload", co->co_wc.wc_name);
	if (co->co_virtual == NULL)
		record_set_string(o, "pin", pin_order_name(co->co_pin));
	for (size_t i = 0; i < co->co_ndesigns; i++)
		(void)json_array_append_new(
		    designs, json_string(co->co_designs[i]));
	for (size_t i = 0; i < co->co_nthreads; i++)
		(void)json_array_append_new(
		    threads, json_integer(co->co_threads[i]));
	(void)json_object_set_new(o, "designs", designs);
	(void)json_object_set_new(o, "threads", threads);
	record_set_u64(o, "repeats", co->co_repeats);
	record_set_u64(o, "seed", co->co_wc.wc_seed);
	record_set_u64(o, "warmup_ns", co->co_wc.wc_warmup_ns);
	record_set_u64(o, "measure_ns", co->co_wc.wc_measure_ns);
	(void)json_object_set_new(
	    o, "params", record_params(&co->co_wc.wc_params));
	(void)json_object_set_new(o, "map", record_memmap(co->co_mm));
	(void)json_object_update_new(o, env);
	record_write(co->co_record, o);
}

int
compare_end(struct compare *co, int error)
{
	if (error == 0 && co->co_interrupted)
		error = EX_INTERRUPTED;
	if (error == 0 && co->co_nvoid + co->co_nwrong > 0)
		error = EX_VOID;
	record_write(co->co_record,
	    json_pack("{s:s, s:i, s:i, s:b}", "type", "end", "status", error,
		"void", (int)co->co_nvoid, "interrupted",
		(int)co->co_interrupted));
	return (error);
}
