/* SPDX-License-Identifier: Apache-2.0 */
/* Rules over one resolved environment. */
#include "validate/rules.h"
#include "validate/validate.h"

size_t
validate_env(const struct env *env, const struct site *s, struct report *r)
{
	struct rules c = { .env = env, .s = s, .r = r, .mem = r->mem };
	size_t errors = r->errors;

	rules_allow(&c);
	rules_limit(&c);
	rules_fit(&c);
	rules_shape(&c);
	rules_names(&c);
	rules_contents(&c);
	rules_secrets(&c);
	rules_time(&c);
	return r->errors - errors;
}
