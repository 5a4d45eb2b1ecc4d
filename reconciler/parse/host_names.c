/* SPDX-License-Identifier: Apache-2.0 */
/* Names of environments as hosts. */
#include "parse/host_names.h"

static const char *
domain_of(const struct doc *org)
{
	const char *domain = value_as_str(value_at(org ? org->spec : NULL, "access.domain"), "");

	return *domain ? domain : NULL;
}

const char *
host_name_of(struct arena *mem, const struct doc *org, const char *owner, const char *name)
{
	const char *domain = domain_of(org);

	return domain ? arena_printf(mem, "%s--%s.%s", name, owner, domain) : arena_printf(mem, "%s--%s", name, owner);
}

void
env_host_names(struct arena *mem, const struct env *env, const char *const **out, size_t *n)
{
	const char **names = arena_array(mem, 4, sizeof(*names));
	size_t k = 0;

	if (domain_of(env->org))
		names[k++] = host_name_of(mem, env->org, env->owner, env->name);
	names[k++] = arena_printf(mem, "%s--%s", env->name, env->owner);
	names[k++] = arena_printf(mem, "%s.%s.svc", env->name, env->namespace_);
	if (env->distributed)
		names[k++] = arena_printf(mem, "*.%s.%s.svc", env->name, env->namespace_);
	*out = names;
	*n = k;
}

const char *
host_ca_lines(struct arena *mem, const struct doc *org, const char *ca)
{
	const char *domain = domain_of(org), *prefix = value_as_str(value_at(org ? org->spec : NULL, "namespacePrefix"), "dev-");

	/* a negated pattern takes the whole line away from a name: so those without dots have a line of their own */
	return arena_printf(mem, "@cert-authority %s%s%s*.%s*.svc %s\n@cert-authority *--*,!*.*,!xn--* %s\n", domain ? "*." : "",
	                    domain ? domain : "", domain ? "," : "", prefix, ca, ca);
}
