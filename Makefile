# SPDX-License-Identifier: Apache-2.0
# berth: one program, one library of everything but main, tests beside it.
#   make            build/berth            make test       everything that proves it (ASan + UBSan)
#   make run        the demo               make bench      figures as ratios
BUILD ?= release
OUT := build/$(BUILD)

# In path order: the order a document travels.
STAGES := repo parse validate render plan apply status
FOLDERS := $(STAGES) daemon cli lib/base lib/doc lib/git lib/net lib/seal
SRC := $(wildcard reconciler/*.c) $(foreach d,$(FOLDERS),$(wildcard reconciler/$(d)/*.c))
SHARE := $(sort $(shell find schema templates envs-repo-template -type f 2>/dev/null))

PKGS := libgit2 yaml-0.1 libcurl libcjson libsodium libpcre2-8 libmicrohttpd zlib openssl
VERSION := 0.1.0

CC ?= gcc
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
FLAGS_tsan := -O1 -g -fsanitize=thread
LINK_tsan := -fsanitize=thread

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS = $(shell pkg-config --libs $(PKGS)) -lm -lpthread
CFLAGS_ALL = $(CSTD) $(WARN) $(FLAGS_$(BUILD)) $(PKG_CFLAGS) -DBERTH_VERSION='"$(VERSION)"' $(CFLAGS)

OBJ := $(SRC:%.c=$(OUT)/%.o)
LIBOBJ := $(filter-out $(OUT)/reconciler/main.o,$(OBJ)) $(OUT)/embed.o
UNIT := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(wildcard tests/unit/test_*.c))
CONF := $(patsubst tests/conformance/%.c,$(OUT)/tests/conformance/%,$(wildcard tests/conformance/conf_*.c))

.PHONY: all program lib units
all: program
program: $(OUT)/berth
	@mkdir -p build && cmp -s $(OUT)/berth build/berth || { cp $(OUT)/berth build/berth.new && mv build/berth.new build/berth; }

$(OUT)/berth: $(OUT)/reconciler/main.o $(OUT)/libberth.a
	$(CC) $(LINK_$(BUILD)) -o $@ $^ $(PKG_LIBS)

lib: $(OUT)/libberth.a
$(OUT)/libberth.a: $(LIBOBJ)
	@rm -f $@
	ar rcsD $@ $^

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# Everything under schema/, templates/ and envs-repo-template/ is compiled in (lib/base/share.h).
$(OUT)/embed.S: $(SHARE) deploy/embed.sh Makefile
	@mkdir -p $(@D)
	sh deploy/embed.sh $(SHARE) > $@.new && mv $@.new $@
$(OUT)/embed.o: $(OUT)/embed.S
	$(CC) -c -o $@ $<

units: $(UNIT) $(CONF)
$(OUT)/tests/unit/%: tests/unit/%.c $(OUT)/libberth.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -Itests -MMD -MP $(LINK_$(BUILD)) -o $@ $< $(OUT)/libberth.a $(PKG_LIBS) -lcmocka
$(OUT)/tests/conformance/%: tests/conformance/%.c $(OUT)/libberth.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -Itests -MMD -MP $(LINK_$(BUILD)) -o $@ $< $(OUT)/libberth.a $(PKG_LIBS) -lcmocka

.PHONY: clean
clean:
	rm -rf build

-include $(OBJ:.o=.d) $(UNIT:=.d) $(CONF:=.d)
