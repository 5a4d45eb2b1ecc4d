# SPDX-License-Identifier: Apache-2.0
# berth: one program, one library of everything but main, tests beside it.
#   make            build/berth            make test       everything that proves it (ASan + UBSan)
#   make run        the demo               make bench      figures as ratios
#   make tutorial   the same with a forge (docs/tutorial.md)
BUILD ?= release
OUT := build/$(BUILD)

# In path order: the order a document travels.
STAGES := repo parse validate render plan apply status
FOLDERS := $(STAGES) pulls daemon cli lib/base lib/doc lib/forge lib/git lib/kube lib/net lib/seal
SRC := $(wildcard reconciler/*.c) $(foreach d,$(FOLDERS),$(wildcard reconciler/$(d)/*.c))
SHARE := $(sort $(shell find schema templates envs-repo-template -type f 2>/dev/null))

PKGS := libgit2 yaml-0.1 libcurl libcjson libsodium libpcre2-8 libmicrohttpd zlib openssl
VERSION := 0.1.0

ifeq ($(origin CC),default)
CC := gcc
endif
CSTD := -std=c17 -D_GNU_SOURCE -Ireconciler -I$(OUT)
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wstrict-prototypes \
	-Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla \
	-Wnull-dereference -Wdouble-promotion -Wredundant-decls -Wunused-result
ifneq (,$(findstring gcc,$(shell $(CC) --version 2>/dev/null | head -n1)))
WARN += -Wformat-signedness -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init \
	-Wimplicit-fallthrough=5 -Wcast-align=strict -Wbidi-chars=any -Wstack-usage=65536
endif
ifeq ($(CI),true)
WARN += -Werror
endif

FLAGS_release := -O2 -g -fno-common -fvisibility=hidden -fno-strict-aliasing -fstack-protector-strong \
	-fstack-clash-protection -D_FORTIFY_SOURCE=2 -fPIE
LINK_release := -pie -Wl,-z,relro,-z,now,-z,noexecstack
FLAGS_debug := -O0 -g3
FLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LINK_asan := -fsanitize=address,undefined
# clang only (make fuzz)
FLAGS_fuzz := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LINK_fuzz := -fsanitize=fuzzer,address,undefined
FLAGS_tsan := -O1 -g -fsanitize=thread
LINK_tsan := -fsanitize=thread

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PKGS)) -lm -lpthread
CFLAGS_ALL = $(CSTD) $(WARN) $(FLAGS_$(BUILD)) $(PKG_CFLAGS) -DBERTH_VERSION='"$(VERSION)"' $(CFLAGS)

# make V=1 shows whole commands; make -s shows only problems.
Q := $(if $(V),,@)
SAY = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),@:,@printf '%-8s %s\n')
# the targets that call make again use all processors unless told otherwise
AGAIN = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 2))

OBJ := $(SRC:%.c=$(OUT)/%.o)
LIBOBJ := $(filter-out $(OUT)/reconciler/main.o,$(OBJ)) $(OUT)/embed.o
UNIT := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(wildcard tests/unit/test_*.c))
CONF := $(patsubst tests/conformance/%.c,$(OUT)/tests/conformance/%,$(wildcard tests/conformance/conf_*.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(OUT)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all program lib units
all: program
program: $(OUT)/berth
	@mkdir -p build && cmp -s $(OUT)/berth build/berth || { cp $(OUT)/berth build/berth.new && mv build/berth.new build/berth; }

$(OUT)/berth: $(OUT)/reconciler/main.o $(OUT)/libberth.a
	$(SAY) link $@
	$(Q)$(CC) $(LINK_$(BUILD)) -o $@ $^ $(PKG_LIBS)

lib: $(OUT)/libberth.a
$(OUT)/libberth.a: $(LIBOBJ)
	$(SAY) archive $@
	$(Q)rm -f $@ && ar rcsD $@ $^

.PHONY: packages
packages:
	@pkg-config --exists $(PKGS) || { echo "libraries are missing: run deploy/setup.sh first (make run and make test do)" >&2; exit 1; }

$(OUT)/%.o: %.c | packages
	@mkdir -p $(@D)
	$(SAY) compile $<
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# Everything under schema/, templates/ and envs-repo-template/ is compiled in (lib/base/share.h).
$(OUT)/embed.S: $(SHARE) deploy/embed.sh Makefile
	@mkdir -p $(@D)
	$(Q)sh deploy/embed.sh $(SHARE) > $@.new && mv $@.new $@
$(OUT)/embed.o: $(OUT)/embed.S
	$(SAY) compile $<
	$(Q)$(CC) -c -o $@ $<

# What a sanitizer leaves out, the sandbox, is tested in the program as people run it (tests/e2e/release.py).
.PHONY: walls
walls: $(OUT)/berth $(OUT)/tests/unit/test_sandbox $(OUT)/tests/unit/test_decryptor $(OUT)/tests/unit/test_decryptor_looks

TEST_LINK = $(CC) $(CFLAGS_ALL) -Itests -MMD -MP $(LINK_$(BUILD)) -o $@ $(filter %.c,$^) $(OUT)/libberth.a $(PKG_LIBS)
units: $(UNIT) $(CONF) $(FUZZ)
$(OUT)/tests/unit/%: tests/unit/%.c $(OUT)/libberth.a
	@mkdir -p $(@D)
	$(SAY) test $<
	$(Q)$(TEST_LINK) -lcmocka
$(OUT)/tests/conformance/%: tests/conformance/%.c $(OUT)/libberth.a
	@mkdir -p $(@D)
	$(SAY) test $<
	$(Q)$(TEST_LINK) -lcmocka
# Figures of single parts: make build/release/tests/bench/bench_git && build/release/tests/bench/bench_git NEW-FOLDER
$(OUT)/tests/bench/%: tests/bench/%.c $(OUT)/libberth.a
	@mkdir -p $(@D)
	$(TEST_LINK)
# With libFuzzer the main comes from clang, else from replay.c, which only runs over the corpus.
$(OUT)/tests/fuzz/%: tests/fuzz/%.c $(if $(filter fuzz,$(BUILD)),,tests/fuzz/replay.c) $(OUT)/libberth.a
	@mkdir -p $(@D)
	$(SAY) test $<
	$(Q)$(TEST_LINK) -Wno-missing-prototypes

# ---- running: each target first makes sure that the packages it needs are there (deploy/setup.sh) ----
.PHONY: run demo-clean tutorial tutorial-clean test test-now layers lint headers fuzz fuzz-now valgrind bench torture minimal install clean
run:
	@sh deploy/setup.sh run
	@$(AGAIN) program
	@exec sh deploy/demo.sh
demo-clean:
	rm -rf build/demo
# a forge of one's own, four people and berth, in build/tutorial (docs/tutorial.md)
tutorial:
	@sh deploy/setup.sh tutorial
	@$(AGAIN) program
	@tests/peers/install.sh gitea
	@tests/peers/install.sh giteaweb || true
	@exec python3 deploy/tutorial.py
tutorial-clean:
	@[ ! -e build/tutorial/lock ] || flock -n build/tutorial/lock true || { echo "the tutorial runs in another terminal: stop it there first (Ctrl-C)"; exit 1; }
	rm -rf build/tutorial

test:
	@sh deploy/setup.sh test
	@$(AGAIN) BUILD=release walls
	@$(AGAIN) BUILD=asan test-now
test-now: layers lint headers $(OUT)/berth units
	@BERTH=$(OUT)/berth sh tests/run.sh $(OUT) $(T)

layers:
	@sh tests/layers.sh
lint:
	@sh tests/lint.sh
headers: $(OUT)/headers.ok
$(OUT)/headers.ok: $(wildcard reconciler/*.h reconciler/*/*.h reconciler/lib/*/*.h)
	@mkdir -p $(@D)
	@for h in $^; do $(CC) $(CSTD) $(WARN) $(PKG_CFLAGS) -fsyntax-only -x c -include $$h /dev/null || \
		{ echo "$$h does not compile alone" >&2; exit 1; }; done
	@touch $@

# make fuzz FUZZ_SECONDS=600 T=fuzz_yaml
CLANG ?= $(shell command -v clang-14 || echo clang)
FUZZ_SECONDS ?= 60
fuzz:
	@sh deploy/setup.sh fuzz
	@$(AGAIN) BUILD=fuzz CC=$(CLANG) fuzz-now
fuzz-now: $(if $(T),$(OUT)/tests/fuzz/$(T),$(FUZZ))
	@for f in $^; do n=$${f##*/fuzz_}; mkdir -p build/fuzz/corpus/$$n build/fuzz/found; echo "# fuzz_$$n, $(FUZZ_SECONDS) s"; \
		$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=65536 -verbosity=0 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/found/$$n- build/fuzz/corpus/$$n $$([ -d tests/fuzz/corpus/$$n ] && echo tests/fuzz/corpus/$$n) || exit 1; done

valgrind:
	@sh deploy/setup.sh valgrind
	@$(AGAIN) BUILD=debug build/debug/berth
	@BERTH=build/debug/berth sh tests/valgrind.sh
bench: program $(OUT)/tests/bench/bench_validate $(OUT)/tests/bench/bench_seal $(OUT)/tests/bench/bench_approve $(OUT)/tests/bench/kube/apiload
	@BERTH=build/berth BENCH_VALIDATE=$(OUT)/tests/bench/bench_validate BENCH_SEAL=$(OUT)/tests/bench/bench_seal BENCH_APPROVE=$(OUT)/tests/bench/bench_approve APILOAD=$(OUT)/tests/bench/kube/apiload sh tests/bench/run.sh
torture: program
	@BERTH=build/berth sh tests/e2e/torture.sh
# Both README commands in a fresh minimal Debian 12; needs root and debootstrap.
minimal:
	sh tests/minimal.sh

PREFIX ?= /usr/local
install: program
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 755 build/berth $(DESTDIR)$(PREFIX)/bin/berth
	build/berth completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/berth
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	build/berth help --man > $(DESTDIR)$(PREFIX)/share/man/man1/berth.1

# keeps what commits of a person may be in (make demo-clean, make tutorial-clean)
clean:
	@if [ -d build ]; then find build -mindepth 1 -maxdepth 1 ! -name demo ! -name tutorial -exec rm -rf {} +; fi

-include $(OBJ:.o=.d) $(UNIT:=.d) $(CONF:=.d) $(FUZZ:=.d)
