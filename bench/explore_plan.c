/* SPDX-License-Identifier: BSD-2-Clause */
/* Plans as text, so that a run is had again from one line. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "explore.h"

/* A number at *p, which moves on, and the character that must follow it. */
static bool
take(const char **p, char end, uint64_t max, uint64_t *np)
{
	char *after;

	if (!isdigit((unsigned char)**p))
		return (false);
	errno = 0;
	*np = strtoull(*p, &after, 10);
	if (errno != 0 || *np > max)
		return (false);
	if (end != '\0') {
		if (*after != end)
			return (false);
		after++;
	}
	*p = after;
	return (true);
}

static bool
take_choice(const char **p, struct ex_choice *ec)
{
	uint64_t event, fiber, to;

	if (!take(p, '@', EX_FIBERS_MAX - 1, &fiber) ||
	    !take(p, '=', UINT32_MAX, &event) ||
	    !take(p, '\0', EX_FIBERS_MAX - 1, &to))
		return (false);
	*ec = (struct ex_choice){
		.ec_event = (uint32_t)event,
		.ec_fiber = (uint8_t)fiber,
		.ec_to = (uint8_t)to,
	};
	return (true);
}

int
explore_plan_parse(const char *text, struct explore_plan *ep)
{
	const char *p = text;

	*ep = (struct explore_plan){ .ep_n = 0 };
	if (!take(&p, ':', UINT64_MAX, &ep->ep_times))
		return (EINVAL);
	ep->ep_choices =
	    bench_calloc(strlen(p) / 4 + 1, sizeof(*ep->ep_choices));
	while (*p != '\0') {
		if ((ep->ep_n > 0 && *p++ != ',') ||
		    !take_choice(&p, &ep->ep_choices[ep->ep_n])) {
			explore_plan_free(ep);
			return (EINVAL);
		}
		ep->ep_n++;
	}
	return (0);
}

char *
explore_plan_text(const struct explore_plan *ep)
{
	/* "3@4294967295=3," */
	size_t size = 24 + ep->ep_n * 18, len;
	char *text = bench_calloc(1, size);

	len = (size_t)snprintf(text, size, "%" PRIu64 ":", ep->ep_times);
	for (size_t i = 0; i < ep->ep_n; i++)
		len += (size_t)snprintf(text + len, size - len,
		    "%s%u@%" PRIu32 "=%u", i > 0 ? "," : "",
		    ep->ep_choices[i].ec_fiber, ep->ep_choices[i].ec_event,
		    ep->ep_choices[i].ec_to);
	return (text);
}

void
explore_plan_free(struct explore_plan *ep)
{
	free(ep->ep_choices);
	*ep = (struct explore_plan){ .ep_n = 0 };
}

void
explore_plan_of(const struct ex_result *er, struct explore_plan *ep)
{
	size_t n = er->er_nchoices;

	if (n > EX_CHOICES_MAX)
		n = EX_CHOICES_MAX;
	ep->ep_times = er->er_times;
	ep->ep_n = n;
	ep->ep_choices = bench_calloc(n + 1, sizeof(*ep->ep_choices));
	memcpy(ep->ep_choices, er->er_choices, n * sizeof(*ep->ep_choices));
}
