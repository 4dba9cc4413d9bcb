# What there is to do here. CI calls the same targets: see .ci/run.
# Flags for the demo: make demo ARGS="--once"

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-builtin-rules
.DEFAULT_GOAL := help

ARGS     ?=
BENCH    ?= .
FUZZTIME ?= 20s
# How often the tests named TestCrash… kill the process and look at what is left.
CRASHES  ?= 500

# The documents that "gapless docs" writes into docs/, by their file names. This is the
# only list of them.
GENERATED := reasons.md config.md metrics.md permissions.md cli.md openapi.yaml units.md compatibility.md

# The published month of a real plant, where it lies beside this repository: see
# docs/examples/moulding-plant.md. Without it the made-up month is used.
ifneq ($(wildcard ../shared/data/moulding-plant),)
export GAPLESS_DATA ?= $(abspath ../shared/data)
endif

# The race detector needs cgo and a C compiler; without them tests run without it. It does
# not look into SQLite, which is C code put into Go and takes five times as long under it:
# what waits for what is seen by database/sql around it.
RACE := $(shell command -v "$$(go env CC)" >/dev/null && [[ -e /usr/include/stdlib.h || $$(uname) != Linux ]] && \
	echo '-race -gcflags=modernc.org/...=-race=false')

# The linter takes minutes to build: once for each content of tools/go.mod and each Go.
TOOLS_VERSION := $(shell { cat tools/go.mod tools/go.sum; go env GOVERSION; } | cksum | cut -d ' ' -f 1)
TOOLS         := bin/tools/version-$(TOOLS_VERSION)

.PHONY: help
help: ## print this list
	@echo "usage: make TARGET"
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS=$$'\t' read -r target what; do \
		printf '  %-18s %s\n' "$$target" "$$what"; done

.PHONY: build
build: ## build bin/gapless
	go build -trimpath -o bin/gapless ./cmd/gapless

.PHONY: check
check: lint vet docs-current test-short ## before every commit: format, lint, vet, generated docs, short tests

.PHONY: lint
lint: $(TOOLS) ## format and lint, Go and shell
	bin/tools/golangci-lint run ./...
	@scripts/lint-shell

.PHONY: format
format: $(TOOLS) ## format every Go file (gofumpt, gci)
	bin/tools/golangci-lint fmt ./...

.PHONY: vet
vet:
	go vet ./...

.PHONY: test
test: ## everything, with the race detector and PostgreSQL (installs what it needs)
	scripts/setup
	$(if $(RACE),,@echo "test: no C compiler: running without the race detector")
	scripts/gotest ./... -- -count=1 -timeout 30m $(RACE)

.PHONY: test-short
test-short: ## the quick tests, without PostgreSQL
	scripts/gotest ./... -- -short -timeout 5m

.PHONY: demo
demo: build ## play a day of a company with three plants: make demo ARGS="--once"
	bin/gapless demo $(ARGS)

.PHONY: example-moulding
example-moulding: build ## follow a real moulding plant's month from its files to its figures
	scripts/example-moulding

.PHONY: erp-up
erp-up: ## start a private ERP (Tryton on PostgreSQL) with master data and orders, on free ports
	scripts/erp up

.PHONY: erp-down
erp-down: ## stop that ERP, by its recorded processes; "scripts/erp remove" removes its data too
	scripts/erp down

# Both run with an ERP and a hub of their own, and compare what is in the ERP's books with
# what was reported: see docs/examples/tryton.md.
SEED ?= 1

.PHONY: erp-demo
erp-demo: build ## play four plants with a real ERP and compare its books: the last line says erp_equal
	go run ./internal/erpdemo

.PHONY: erp-chaos
erp-chaos: build ## the same while hub, ERP and connections fail: make erp-chaos SEED=7
	go run ./internal/erpdemo -chaos -seed $(SEED) -orders 12

.PHONY: bench
bench: ## run the benchmarks: make bench BENCH=Record
	GAPLESS_POSTGRES_SYNC=on scripts/with-postgres go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

.PHONY: bench-table
bench-table: ## measure intake beside its floor and write docs/benchmarks.md
	GAPLESS_POSTGRES_SYNC=on GOGC=1000 GOMEMLIMIT=1GiB scripts/with-postgres go run ./internal/benchtable -out docs/benchmarks.md # as the program sets it

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (20s) each
	scripts/fuzz $(FUZZTIME)

.PHONY: crash
crash: ## kill the program CRASHES (500) times in the middle of its work and check what is left
	GAPLESS_CRASHES=$(CRASHES) scripts/gotest ./... -- -count=1 -timeout 60m -run '^TestCrash'

.PHONY: golden
golden: ## write the golden files anew: read the diff before you commit it
	@packages=$$({ grep -rlE --include='*_test.go' 'flag\.Bool\("update"' . || true; } | xargs -rn 1 dirname | sort -u); \
	if [[ -z $$packages ]]; then echo "golden: no test has golden files" >&2; exit 1; fi; \
	for package in $$packages; do echo "golden: $$package"; scripts/with-postgres go test "$$package" -update; done

# Needs GAPLESS_TEST_TRYTON: the file of a real server's address and passwords, see
# docs/connectors/tryton.md.
.PHONY: erp-record
erp-record: ## record anew what a real Tryton answers: read the diff before you commit it
	@[[ -n "$${GAPLESS_TEST_TRYTON:-}" ]] || { echo "erp-record: set GAPLESS_TEST_TRYTON to the file of a real server's environment" >&2; exit 1; }
	rm -rf connector/tryton/testdata/recorded
	GAPLESS_RECORD_TRYTON=1 go test ./connector/tryton -count=1 -timeout 30m

.PHONY: docs
docs: build ## write the generated docs anew: reasons, config, metrics, commands, API, units, changes
	bin/gapless docs --out docs $(GENERATED)

.PHONY: docs-current
docs-current: build
	@rm -rf build/docs && mkdir -p build/docs
	bin/gapless docs --out build/docs $(GENERATED)
	@old=; for file in $(GENERATED); do diff -uN "docs/$$file" "build/docs/$$file" || old+=" docs/$$file"; done; \
	if [[ -n $$old ]]; then echo "not current:$$old: run make docs" >&2; exit 1; fi

.PHONY: clean
clean: ## remove what was built, but for the tools
	@[[ ! -d build/postgres ]] || scripts/postgres stop
	@for erp in build/erp build/erp-of-demo; do [[ ! -d $$erp ]] || GAPLESS_ERP=$$PWD/$$erp scripts/erp remove; done
	rm -rf build bin/gapless

$(TOOLS):
	@echo "building the linter, once: this takes minutes"
	@mkdir -p bin/tools && rm -f bin/tools/version-*
	go -C tools build -o ../bin/tools/ tool
	@touch $@
