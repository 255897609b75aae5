# SPDX-License-Identifier: Apache-2.0
# Chancery. `make help` lists the targets.
CC      ?= cc
comma   := ,
SAN     ?=
BUILD   ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
PKGS     = libmicrohttpd libpq jansson libssl libcrypto libcurl gnutls libseccomp libargon2 zlib p11-kit-1
WARN     = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
           -Wvla -Wformat=2 -Wundef -Werror
HARDEN   = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection
SANFLAGS = $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
CFLAGS  ?= -O2 -g
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -I. -I$(BUILD) -MMD -MP -fPIE $(WARN) $(CFLAGS) \
             $(if $(SAN),$(SANFLAGS),$(HARDEN)) $(shell pkg-config --cflags $(PKGS) 2>/dev/null) -I/usr/include/postgresql
ALL_LDFLAGS = $(LDFLAGS) -pie -Wl,-z,relro,-z,now $(SANFLAGS)

# What each program is made of. PURE knows no database and no HTTP: the client and the engine link it.
PURE      = core/err.c core/arena.c $(wildcard core/text*.c) core/crypto.c core/log.c core/protobuf.c
PROOF     = $(wildcard lineage/merkle.c lineage/tile.c lineage/note.c lineage/proof.c lineage/verify.c lineage/canonical.c lineage/grow.c) \
            $(filter-out %_store.c,$(wildcard lineage/sealed/*.c))
SERVICE   = $(filter-out service/main.c,$(wildcard $(patsubst %,%/*.c,core auth auth/* lineage lineage/* registry registry/* compute service)))
ENGINE    = $(filter-out compute/engine/main.c,$(wildcard compute/engine/*.c)) compute/frame.c
CLIENT    = $(filter-out clients/cli/main.c,$(wildcard clients/cli/*.c clients/cli/*/*.c))
objects   = $(patsubst %.c,$(BUILD)/%.o,$(1))

SERVICE_LIBS = $(shell pkg-config --libs libmicrohttpd libpq jansson libssl libcrypto libcurl gnutls libargon2 zlib p11-kit-1 2>/dev/null) -ljwt -lm -pthread
ENGINE_LIBS  = $(shell pkg-config --libs jansson libcrypto libseccomp 2>/dev/null) -llapacke -lopenblas -lm -pthread
CLIENT_LIBS  = $(shell pkg-config --libs jansson libcrypto libcurl 2>/dev/null) -lm -pthread

PROGRAMS = $(BUILD)/chanceryd $(BUILD)/chancery-engine $(BUILD)/chancery

# V=1 shows the commands.
V      ?=
Q       = $(if $(V),,@)
say     = @$(if $(V),:,echo ' ')

.DEFAULT_GOAL := build
.PHONY: build deps test test-peers unit stories check format run demo bench fuzz soak san docker clean help

build: ## compile the three programs into build/
	@tests/tools/deps.sh build
	@$(MAKE) --no-print-directory -j$(shell nproc) programs
.PHONY: programs
programs: $(PROGRAMS)

$(BUILD)/chanceryd: $(call objects,service/main.c $(SERVICE))
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SERVICE_LIBS)
$(BUILD)/chancery-engine: $(call objects,compute/engine/main.c $(ENGINE) $(PURE))
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ENGINE_LIBS)
$(BUILD)/chancery: $(call objects,clients/cli/main.c $(CLIENT) $(PURE) $(PROOF))
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CLIENT_LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Migrations are compiled into chanceryd: their names, texts and order.
$(BUILD)/migrations.inc: $(sort $(wildcard migrations/*.sql)) tests/tools/embed.sh
	@mkdir -p $(@D)
	tests/tools/embed.sh $(sort $(wildcard migrations/*.sql)) > $@
$(BUILD)/service/migrate.o: $(BUILD)/migrations.inc

# A unit test is one program, linked with what it tests: the engine, the client or the service.
UNITS = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c tests/tools/*.c))
$(BUILD)/tests/unit/test_engine_%: $(BUILD)/tests/unit/test_engine_%.o $(call objects,$(ENGINE) $(PURE) compute/spawn.c)
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ENGINE_LIBS)
$(BUILD)/tests/unit/test_cli_%: $(BUILD)/tests/unit/test_cli_%.o $(call objects,$(CLIENT) $(PURE) $(PROOF))
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CLIENT_LIBS)
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(call objects,$(SERVICE))
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SERVICE_LIBS)
FUZZ = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_objects = $(BUILD)/tests/fuzz/$(1).o $(call objects,$(if $(filter fuzz_csv fuzz_onnx,$(1)),$(ENGINE) $(PURE),$(SERVICE)))
fuzz_libs = $(if $(filter fuzz_csv fuzz_onnx,$(1)),$(ENGINE_LIBS),$(SERVICE_LIBS))
.SECONDARY:
.SECONDEXPANSION:
$(addprefix $(BUILD)/tests/fuzz/,$(FUZZ)): $(BUILD)/tests/fuzz/%: $$(call fuzz_objects,%) $(BUILD)/tests/fuzz/replay.o
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(call fuzz_libs,$*)
.PHONY: tests
tests: programs $(UNITS) $(addprefix $(BUILD)/tests/fuzz/,$(FUZZ))

deps: ## install the Debian packages that are missing
	@tests/tools/deps.sh build test

test: ## build, then run every test of our own; ONLY=pattern keeps some
	@tests/tools/deps.sh test
	@$(MAKE) --no-print-directory -j$(shell nproc) tests
	@tests/run.py $(BUILD) $(ONLY)

test-peers: ## run the tests against foreign programs, which install themselves into build/peers
	@tests/tools/deps.sh peers
	@$(MAKE) --no-print-directory -j$(shell nproc) tests
	@tests/run.py $(BUILD) --peers $(ONLY)

SOURCES = $(shell git ls-files '*.c' '*.h' | grep -v '^tests/fuzz/corpus')
check: ## warnings, format, layers, banned functions, clang-tidy, cppcheck, gcc -fanalyzer
	@tests/tools/deps.sh check
	@tests/check/layers.sh
	@tests/check/banned.sh
	@clang-format --dry-run -Werror $(SOURCES)
	@$(MAKE) --no-print-directory -j$(shell nproc) programs
	@$(MAKE) --no-print-directory -k -j$(shell nproc) tidy
	@cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr --enable=performance,portability \
	    --suppressions-list=tests/check/cppcheck.txt '-Djson_array_foreach(a,i,v)=for(i=0;(v=json_array_get(a,i))!=0;i++)' \
	    '-Djson_object_foreach(o,k,v)=for(k=0;k!=0;)' -j$(shell nproc) -I. core auth lineage registry compute service clients
	@$(MAKE) --no-print-directory -j$(shell nproc) BUILD=build-analyzer CFLAGS='-O1 -fanalyzer' analyzed

TIDY = $(patsubst %.c,$(BUILD)/tidy/%.ok,$(shell git ls-files '*.c' | grep -v '^tests/'))
.PHONY: tidy analyzed
tidy: $(TIDY)
$(BUILD)/tidy/%.ok: %.c .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy --quiet $< -- -std=c17 -D_GNU_SOURCE -I. -I$(BUILD) -I/usr/include/postgresql 2>/dev/null && touch $@
analyzed: $(call objects,$(SERVICE) $(ENGINE) $(CLIENT))

format: ## lay the sources out as .clang-format says
	@clang-format -i $(SOURCES)

# libFuzzer over every target, FUZZ_SECONDS each; what it finds new stays in build-fuzz/corpus.
FUZZ_SECONDS ?= 60
fuzz: ## fuzz every parser of foreign bytes with libFuzzer and ASan, FUZZ_SECONDS=60 each
	@tests/tools/deps.sh fuzz
	@$(MAKE) --no-print-directory -j$(shell nproc) CC=clang BUILD=build-fuzz HARDEN= \
	    CFLAGS='-O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-omit-frame-pointer' $(addprefix fuzz-,$(FUZZ))
.PHONY: $(addprefix fuzz-,$(FUZZ))
$(addprefix fuzz-,$(FUZZ)): fuzz-%: $$(call fuzz_objects,%)
	$(Q)$(CC) -fsanitize=address,undefined,fuzzer -pie -o $(BUILD)/tests/fuzz/$* $^ $(call fuzz_libs,$*)
	@mkdir -p $(BUILD)/corpus/$*
	$(Q)$(BUILD)/tests/fuzz/$* -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -timeout=10 -rss_limit_mb=2048 \
	    $(BUILD)/corpus/$* tests/fuzz/corpus/$(patsubst fuzz_%,%,$*) > $(BUILD)/$*.log 2>&1 \
	    && echo "ok   $*: $$(grep -o 'stat::number_of_executed_units: *[0-9]*' $(BUILD)/$*.log | grep -o '[0-9]*$$') runs" \
	    || { tail -n 40 $(BUILD)/$*.log; exit 1; }

bench: ## measure the service against PostgreSQL, cp, scikit-learn: ratios beside their targets, 6 minutes
	@tests/tools/deps.sh build test bench
	@$(MAKE) --no-print-directory -j$(shell nproc) programs $(BUILD)/tests/bench/bench_evaluator $(BUILD)/tests/bench/bench_log
	@/usr/bin/python3 tests/bench/bench.py $(BUILD)

# The service without its audit entries, to measure what they cost; never installed.
$(BUILD)/tests/bench/chanceryd-unaudited: $(BUILD)/tests/bench/unaudited.o $(call objects,service/main.c $(SERVICE))
	$(say) LD $@
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--wrap=audit_append -o $@ $^ $(SERVICE_LIBS)

bench-lineage: ## measure what audit costs, the sequencer, verification and the graph, against their targets
	@tests/tools/deps.sh build test bench
	@$(MAKE) --no-print-directory -j$(shell nproc) programs \
	    $(addprefix $(BUILD)/tests/bench/,chanceryd-unaudited bench_audit bench_log bench_lineage)
	@status=0; /usr/bin/python3 tests/bench/bench_audited.py $(BUILD) || status=1; \
	    for b in bench_audit bench_log bench_lineage; do $(BUILD)/tests/bench/$$b || status=1; done; exit $$status
.PHONY: bench-lineage

# Beside make test: what is too slow for each run.
mutants: ## break the evaluator in each of its places, and 1,000,000 questions to SQL: 10 minutes
	@tests/tools/deps.sh build test
	@$(MAKE) --no-print-directory -j$(shell nproc) tests
	@tests/tools/mutate_policy.py
	@ACCESS_QUESTIONS=1000000 tests/run.py $(BUILD) test_access_sql
.PHONY: mutants

asvs: ## the table of OWASP ASVS 5.0 into build/asvs.md, proved by the last make test
	@tests/tools/asvs.py $(BUILD)
.PHONY: asvs

SOAK_MINUTES ?= 10
soak: ## mixed load with restarts of the database for SOAK_MINUTES=10, then what must hold
	@tests/tools/deps.sh build test
	@$(MAKE) --no-print-directory -j$(shell nproc) programs
	@/usr/bin/python3 tests/bench/soak.py $(BUILD) $(SOAK_MINUTES)

bench-mlflow: ## measure MLflow's own server and ours under the same requests, on one PostgreSQL
	@tests/tools/deps.sh build test bench
	@$(MAKE) --no-print-directory -j$(shell nproc) programs
	@/usr/bin/python3 tests/bench/bench_mlflow.py $(BUILD) $(RUNS)
.PHONY: bench-mlflow

bench-traces: ## measure how searches of traces grow with their number, and spans a second
	@tests/tools/deps.sh build test
	@$(MAKE) --no-print-directory -j$(shell nproc) programs
	@/usr/bin/python3 tests/bench/bench_traces.py $(BUILD) $(TRACES)
.PHONY: bench-traces
bench-catalogue: ## measure searches of the catalogue among 100,000 assets (ASSETS=)
	@tests/tools/deps.sh build test
	@$(MAKE) --no-print-directory -j$(shell nproc) programs
	@/usr/bin/python3 tests/bench/bench_catalogue.py $(BUILD) $(ASSETS)
.PHONY: bench-catalogue

run: build ## serve in the foreground, with a lasting home in ./var (HOME_DIR=, LISTEN=)
	$(BUILD)/chanceryd serve --home $(or $(HOME_DIR),var) --listen $(or $(LISTEN),127.0.0.1:8443)

demo: build ## play the main story from an empty home to the proof of the log
	tests/demo/demo.sh $(BUILD)

help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

clean: ## remove what was built
	rm -rf build build-*

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)
