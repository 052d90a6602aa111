/* SPDX-License-Identifier: BSD-2-Clause */
#include "calib.h"
#include "record.h"
#include "table.h"

static void
print_pairs(const struct calib *c, FILE *out)
{
	struct table *t;

	if (c->c_npairs == 0)
		return;
	t = table_create("lrrrl");
	table_cell(t, "CPUs");
	table_cell(t, "one way, ns");
	table_cell(t, "low");
	table_cell(t, "high");
	table_cell(t, "what the two are");
	table_rule(t);
	for (size_t i = 0; i < c->c_npairs; i++) {
		const struct calib_pair *cp = &c->c_pairs[i];

		table_cell(t, "%d, %d", cp->cp_cpu[0], cp->cp_cpu[1]);
		if (cp->cp_ns.cs_n == 0) {
			table_cell(t, "-");
			table_cell(t, "-");
			table_cell(t, "-");
		} else {
			table_cell(t, "%.1f", cp->cp_ns.cs_median);
			table_cell(t, "%.1f", cp->cp_ns.cs_low);
			table_cell(t, "%.1f", cp->cp_ns.cs_high);
		}
		if (cp->cp_bimodal)
			table_cell(t, "%s: %.1f in %.0f %%, else %.1f",
			    calib_distance_names[cp->cp_distance],
			    cp->cp_near_ns, 100 * cp->cp_near_share,
			    cp->cp_far_ns);
		else
			table_cell(
			    t, "%s", calib_distance_names[cp->cp_distance]);
	}
	(void)fprintf(
	    out, "A line from CPU to CPU, median and middle 80 %%\n\n");
	table_print(t, out);
	table_destroy(t);
	(void)fprintf(
	    out, "\nPing-pong of the first pair: %s\n\n", calib_mode(c));
}

void
calib_print(const struct calib *c, FILE *out)
{
	char text[PRESET_TEXT_MAX];
	struct table *t;

	print_pairs(c, out);
	t = table_create("lrll");
	table_cell(t, "number");
	table_cell(t, "value");
	table_cell(t, "unit");
	table_cell(t, "source");
	table_rule(t);
	for (unsigned i = 0; i < NPRESET_FIELDS; i++) {
		table_cell(t, "%s", preset_fields[i].pf_key);
		table_cell(t, "%s", preset_format(&c->c_preset, i, text));
		table_cell(
		    t, "%s", preset_fields[i].pf_unit == PRESET_NS ? "ns" : "");
		table_cell(t, "%s", c->c_preset.pr_source[i]);
	}
	table_print(t, out);
	table_destroy(t);
}

static json_t *
record_pair(const struct calib_pair *cp)
{
	json_t *o = json_pack("{s:[i, i], s:s}", "cpus", cp->cp_cpu[0],
	    cp->cp_cpu[1], "distance", calib_distance_names[cp->cp_distance]);

	record_set_real(o, "median_ns", cp->cp_ns.cs_median);
	record_set_real(o, "low_ns", cp->cp_ns.cs_low);
	record_set_real(o, "high_ns", cp->cp_ns.cs_high);
	record_set_u64(o, "samples", cp->cp_ns.cs_n);
	(void)json_object_set_new(o, "bimodal", json_boolean(cp->cp_bimodal));
	if (cp->cp_bimodal) {
		record_set_real(o, "near_ns", cp->cp_near_ns);
		record_set_real(o, "far_ns", cp->cp_far_ns);
		record_set_real(o, "near_share", cp->cp_near_share);
	}
	return (o);
}

void
calib_record(const struct calib *c, struct record *r)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "type", "calibration", "kind",
	    "real", "mode", calib_mode(c));
	json_t *pairs = json_array(), *numbers = json_object();
	char text[PRESET_TEXT_MAX];

	for (size_t i = 0; i < c->c_npairs; i++)
		(void)json_array_append_new(pairs, record_pair(&c->c_pairs[i]));
	for (unsigned i = 0; i < NPRESET_FIELDS; i++) {
		const struct calib_stat *cs = &c->c_stats[i];
		json_t *n = json_object();

		/* Exactly as in the file: a real would have its own digits. */
		record_set_string(
		    n, "value", preset_format(&c->c_preset, i, text));
		record_set_string(n, "source", c->c_preset.pr_source[i]);
		if (cs->cs_n > 0) {
			record_set_real(n, "low_ns", cs->cs_low);
			record_set_real(n, "high_ns", cs->cs_high);
			record_set_u64(n, "samples", cs->cs_n);
		}
		(void)json_object_set_new(numbers, preset_fields[i].pf_key, n);
	}
	(void)json_object_set_new(o, "pairs", pairs);
	(void)json_object_set_new(o, "numbers", numbers);
	record_write(r, o);
}
