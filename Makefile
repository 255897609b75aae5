# SPDX-License-Identifier: Apache-2.0
# Chancery. `make help` lists the targets.
CC      ?= cc
comma   := ,
SAN     ?=
BUILD   ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
PKGS     = libmicrohttpd libpq jansson libssl libcrypto libcurl gnutls libseccomp libargon2
WARN     = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
           -Wvla -Wformat=2 -Wundef -Werror
HARDEN   = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection
SANFLAGS = $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
CFLAGS  ?= -O2 -g
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -I. -I$(BUILD) -MMD -MP -fPIE $(WARN) $(CFLAGS) \
             $(if $(SAN),$(SANFLAGS),$(HARDEN)) $(shell pkg-config --cflags $(PKGS) 2>/dev/null) -I/usr/include/postgresql
ALL_LDFLAGS = $(LDFLAGS) -pie -Wl,-z,relro,-z,now $(SANFLAGS)

# What each program is made of. PURE knows no database and no HTTP: the client and the engine link it.
PURE      = core/err.c core/arena.c core/text.c core/crypto.c core/log.c
PROOF     = $(wildcard lineage/merkle.c lineage/tile.c lineage/note.c lineage/proof.c lineage/verify.c lineage/canonical.c lineage/grow.c)
SERVICE   = $(filter-out service/main.c,$(wildcard core/*.c auth/*.c lineage/*.c registry/*.c compute/*.c service/*.c))
ENGINE    = $(filter-out compute/engine/main.c,$(wildcard compute/engine/*.c)) compute/frame.c
CLIENT    = $(filter-out clients/cli/main.c,$(wildcard clients/cli/*.c))
objects   = $(patsubst %.c,$(BUILD)/%.o,$(1))

SERVICE_LIBS = $(shell pkg-config --libs libmicrohttpd libpq jansson libssl libcrypto gnutls libargon2 2>/dev/null) -ljwt -lm -pthread
ENGINE_LIBS  = $(shell pkg-config --libs jansson libcrypto libseccomp 2>/dev/null) -llapacke -lopenblas -lm -pthread
CLIENT_LIBS  = $(shell pkg-config --libs jansson libcrypto libcurl 2>/dev/null) -lm -pthread

PROGRAMS = $(BUILD)/chanceryd $(BUILD)/chancery-engine $(BUILD)/chancery

.DEFAULT_GOAL := build
.PHONY: build
build: $(PROGRAMS) ## compile the three programs into build/

$(BUILD)/chanceryd: $(call objects,service/main.c $(SERVICE))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SERVICE_LIBS)
$(BUILD)/chancery-engine: $(call objects,compute/engine/main.c $(ENGINE) $(PURE))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ENGINE_LIBS)
$(BUILD)/chancery: $(call objects,clients/cli/main.c $(CLIENT) $(PURE) $(PROOF))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CLIENT_LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Migrations are compiled into chanceryd: their names, texts and order.
$(BUILD)/migrations.inc: $(sort $(wildcard migrations/*.sql)) tests/tools/embed.sh
	@mkdir -p $(@D)
	tests/tools/embed.sh $(sort $(wildcard migrations/*.sql)) > $@
$(BUILD)/service/migrate.o: $(BUILD)/migrations.inc

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)
