/* SPDX-License-Identifier: Apache-2.0 */
/* Arbitrary bytes as an environment, and as the flavor, team and organization of another: read, check, resolve, judge. */
#include <stdint.h>

#include "unit/fixture.h"

#define DOC(kind, spec) "apiVersion: berth.dev/v1\nkind: " kind "\nspec: " spec "\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run(const struct schemas *schemas, const char *path, const uint8_t *data, size_t size)
{
	struct fixture *x = fixture_new();

	fixture_add(x, "berth.yaml", DOC("Organization", "{roles: {standard: {gpu: 1}}, images: {allow: ['a/*']}}"));
	fixture_add(x, "users/alice.yaml", DOC("User", "{email: alice@company.com, teams: [vision]}"));
	fixture_add(x, "teams/vision.yaml", DOC("Team", "{}"));
	fixture_add(x, "images/torch.yaml", DOC("Image", "{image: company/torch:2}"));
	fixture_add(x, "datasets/imagenet.yaml", DOC("Dataset", "{claim: {name: imagenet}}"));
	fixture_add(x, "flavors/gpu.yaml", DOC("Flavor", "{resources: {limits: {cpu: 4, memory: 16Gi, nvidia.com/gpu: 1}}}"));
	fixture_add(x, "envs/alice/setup.sh", "true\n");
	fixture_add(x, "envs/alice/other.yaml", DOC("Environment", "{flavor: gpu, mode: distributed, image: torch}"));
	fixture_put(x, path, FILE_REGULAR, (const char *)data, size);
	validate_tree(&x->files, &x->report);
	fixture_parse(x, schemas);
	fixture_resolve(x, NULL);
	for (size_t i = 0; i < x->ndocs; i++) {
		const char *const *deps;
		size_t n;

		if (x->docs[i]->kind == KIND_ENV)
			env_deps(x->mem, &x->site, x->docs[i], &deps, &n);
	}
	(void)fixture_lines(x);
	fixture_free(x);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct schemas *schemas;
	static const char *const paths[] = { "envs/alice/t.yaml", "flavors/gpu.yaml", "teams/vision.yaml", "berth.yaml" };
	struct err e = { 0 };

	if (!schemas && schemas_load(&schemas, &e) < 0)
		abort();
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		run(schemas, paths[i], data, size);
	return 0;
}
