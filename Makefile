# `make` alone lists the targets.

GO           ?= go
PREFIX       ?= /usr/local
BINDIR       ?= $(PREFIX)/bin
UNITDIR      ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR  ?= $(PREFIX)/lib/sysusers.d
DOCDIR       ?= $(PREFIX)/share/doc/quorate
SYSCONFDIR   ?= /etc
DESTDIR      ?=
FUZZTIME     ?= 10s
BENCH        ?= .
BIN          ?= bin/quorate
HOST_TIMEOUT  ?= 10m
GUEST_TIMEOUT ?= 30m

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

# What is built runs anywhere, with no C library; only the race detector needs one.
export CGO_ENABLED = 0
export QUORATE_BIN = $(abspath $(BIN))
export QUORATE_MUTANTS_BIN = $(abspath $(BIN)-mutants)

# Where the tests run. Packages whose TestMain calls lab.Main boot a kernel with IPVS by themselves, and so does
# BOOT_PKGS, which tests that; GUEST_PKG is a package that knows nothing of the lab, whose whole test binary is run there
# too, so that none of its tests has to be skipped. There is no race detector in the guest, so that the lab's own tests run
# without it; the lab itself is used under the race detector by e2e/wire. All others run on this machine's kernel with it.
# The guest is booted even where this machine has IPVS, so that a test has a kernel of its own. A guest has one CPU, so two
# run side by side, and the packages that take longest begin first. PROOF_PKGS take minutes: `make proofs`, `proof-import`
# and `power-cuts` run them.
GUEST_PKG  = ./director/ipvs
PROOF_PKGS = ./e2e/upgrade ./e2e/power ./e2e/imported
LONGEST    = ./e2e/moves/holds ./e2e/moves/fails ./e2e
LAB_PKGS   = $(LONGEST) $(filter-out $(LONGEST) $(PROOF_PKGS),$(sort ./e2e/lab $(patsubst %/,./%,$(dir $(shell grep -rl --include='*_test.go' 'lab\.Main\>' e2e)))))
BOOT_PKGS  = ./e2e/lab/selftest
HOST_PKGS  = $(filter-out $(patsubst .%,$(MODULE)%,$(BOOT_PKGS) $(PROOF_PKGS) $(LAB_PKGS)),$(shell $(GO) list ./...))
MODULE     = github.com/quorate/quorate
# What measures times of milliseconds beside others' programs runs with nothing beside it; what takes every
# core for itself, and starts no goroutine, runs without the race detector. The others wait more than they
# compute: three run side by side, and what takes longest begins first.
ALONE_PKGS = ./e2e/interop
BUSY_PKGS  = ./e2e/sim ./config
FIRST      = ./e2e/wire ./cluster ./director/keeper ./e2e/units ./director/vrrp ./director/address ./fsm ./config/keepalived \
	./director/probe ./agent ./checks ./agent/liveness
BESIDE     = $(FIRST) $(filter-out $(patsubst ./%,$(MODULE)/%,$(FIRST) $(ALONE_PKGS) $(BUSY_PKGS)),$(HOST_PKGS))

# `make lint` vets all code; and what is built without the race detector is built with the same flags as the program, so
# that nothing is compiled twice.
GOTEST      = $(GO) test -json -vet=off -trimpath
HOST_TESTS  = (echo "place host"; export QUORATE_LAB_ON_HOST=1; \
	CGO_ENABLED=1 $(GOTEST) -race -p 3 -shuffle=on -timeout $(HOST_TIMEOUT) $(BESIDE); echo "exit $$?"; \
	CGO_ENABLED=1 $(GOTEST) -race -shuffle=on -timeout $(HOST_TIMEOUT) $(ALONE_PKGS); echo "exit $$?"; \
	$(GOTEST) -timeout $(HOST_TIMEOUT) $(BUSY_PKGS); echo "exit $$?")
IN_GUEST    = QUORATE_FORCE_GUEST=$(if $(shell command -v linux.uml),1)
GUEST_TESTS = (echo "place guest"; export $(IN_GUEST); \
	$(GOTEST) -count=1 -p 2 -timeout $(GUEST_TIMEOUT) -exec '$(CURDIR)/bin/inguest -of $(GUEST_PKG:./%=%)' $(LAB_PKGS) $(GUEST_PKG) $(BOOT_PKGS); echo "exit $$?")
TALLY       = bin/tally -guest-tests .ci/guest-tests.txt -skips .ci/skips.txt

.PHONY: help
help: ## print the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/quorate, with no C library
	$(GO) build -trimpath -buildvcs=false -ldflags '-X main.version=$(VERSION)' -o $(BIN) ./cmd/quorate

$(BIN):
	@$(MAKE) --no-print-directory build

.PHONY: demo
demo: setup-demo build ## three directors, a network and what happens when things break; needs no root
	@$(GO) run ./e2e/demo

.PHONY: lab
lab: setup-demo build ## the demo's network, with a shell in it
	@$(GO) run ./e2e/demo --shell

.PHONY: test
test: setup-test build test-tools ## run all tests, on this kernel and on one with IPVS
	@{ $(HOST_TESTS); $(GUEST_TESTS); } | $(TALLY) -want host,guest

.PHONY: test-host
test-host: setup-test build test-tools ## run the tests that need no IPVS
	@{ $(HOST_TESTS); } | $(TALLY) -want host

.PHONY: test-guest
test-guest: setup-test build test-tools ## run the tests that need IPVS
	@{ $(GUEST_TESTS); } | $(TALLY) -want guest

.PHONY: list-update
list-update: setup-test build test-tools ## run the tests that need IPVS, and write their list
	@{ $(GUEST_TESTS); } | $(TALLY) -want guest -update

.PHONY: test-tools
test-tools:
	@$(GO) build -trimpath -buildvcs=false -o bin/ ./e2e/tally ./e2e/inguest
	@$(GO) build -trimpath -buildvcs=false -tags mutants -o $(BIN)-mutants ./cmd/quorate

# The packages whose tests have numbers of requirements in their names, and the table of those. Of config,
# only the tests of VRRP run.
VRRP_PKGS = ./director/vrrp ./director/address ./director/keeper ./director/ownership ./director ./agent $(wildcard ./e2e/interop)

.PHONY: vrrp-table
vrrp-table: setup-test ## write docs/results/vrrp-requirements.md from a run of the tests of VRRP
	@mkdir -p docs/results
	@{ QUORATE_LAB_ON_HOST=1 $(GO) test -json -count=1 -p 1 -timeout $(HOST_TIMEOUT) $(VRRP_PKGS); \
	$(GO) test -json -count=1 -run VRRP ./config; } | \
	$(GO) run ./e2e/requirements -list e2e/requirements/requirements.txt -about 'quorate $(VERSION)' -o docs/results/vrrp-requirements.md

.PHONY: reference
reference: ## write docs/reference.md and docs/import-keepalived.md from the code that reads the files
	@$(GO) run ./config/reference

.PHONY: lint
lint: ## run gofmt, vet, fix, tidy, staticcheck
	@.ci/lint

.PHONY: bench
bench: build ## run the benchmarks; BENCH=pattern
	@$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime 5x $(HOST_PKGS)

.PHONY: interop
interop: setup-test build ## run VRRP beside keepalived and FRR, the whole matrix; writes docs/results/interop-DATE.md
	@mkdir -p docs/results
	@results=$(CURDIR)/docs/results/interop-$$(date +%F).md; status=0; \
	QUORATE_INTEROP_ALL=1 QUORATE_INTEROP_RESULTS=$$results $(GO) test -count=1 -timeout 2h -parallel 6 -run TestQuorate ./e2e/interop || status=$$?; \
	echo "$$results"; exit $$status

.PHONY: bench-vrrp
bench-vrrp: setup-test build ## measure VRRP of quorate and keepalived side by side; BENCH=death|stop|late|many
	@$(GO) build -buildvcs=false -o bin/ ./e2e/interop/bench && bin/bench vrrp '$(BENCH)'

BUSY ?= 10m

.PHONY: bench-ownership
bench-ownership: setup-test build ## the same for who owns an address, in a cluster; BENCH=death|move|agent|idle|busy, BUSY=how long; writes what it measured into docs/results/bench-ownership-DATE.md
	@$(GO) build -buildvcs=false -o bin/ ./e2e/interop/bench && mkdir -p docs/results
	@page=docs/results/bench-ownership-$$(date +%F).md; newest=$$(ls docs/results/bench-ownership-*.md 2>/dev/null | tail -1); \
	[ -e $$page ] || [ -z "$$newest" ] || cp $$newest $$page; \
	bin/bench -busy '$(BUSY)' ownership '$(BENCH)' >bin/bench-ownership.md || { status=$$?; cat bin/bench-ownership.md; exit $$status; }; \
	cat bin/bench-ownership.md; bin/bench -merge $$page ownership bin/bench-ownership.md && echo $$page

.PHONY: bench-config
bench-config: setup-test build ## measure a configuration of 2,000 services of 50 servers, beside keepalived: read, apply, change one weight until all kernels and states have it; BENCH=kernels|read|processes|states; writes what it measured into docs/results/bench-config-DATE.md
	@$(GO) build -buildvcs=false -o bin/ ./e2e/interop/bench && mkdir -p docs/results
	@page=docs/results/bench-config-$$(date +%F).md; newest=$$(ls docs/results/bench-config-*.md 2>/dev/null | tail -1); \
	[ -e $$page ] || [ -z "$$newest" ] || cp $$newest $$page; export QUORATE_GO_BENCH=$(CURDIR)/bin/bench-config.txt; \
	for part in kernels read processes states; do \
		echo $$part | grep -Eq '$(BENCH)' || continue; \
		[ $$part != states ] || $(GO) test -run '^$$' -bench 2000x50 -benchtime 5x ./config ./fsm ./director ./cluster >$$QUORATE_GO_BENCH || { cat $$QUORATE_GO_BENCH; exit 1; }; \
		bin/bench config $$part >bin/bench-config.md || { status=$$?; cat bin/bench-config.md; exit $$status; }; \
		cat bin/bench-config.md; bin/bench -merge $$page config bin/bench-config.md || exit 1; \
	done; echo $$page

.PHONY: bench-cluster
bench-cluster: ## measure commits through leader and follower beside plain Raft, leader changes, joins and starts; writes docs/results/bench-cluster-DATE.md
	@mkdir -p docs/results; page=$(CURDIR)/docs/results/bench-cluster-$$(date +%F).md; \
	QUORATE_COMMIT_PAGE=$$page $(GO) test -run '^$$' -bench 'Commit$$' -benchtime 1x -timeout 10m ./cluster && cat $$page && echo $$page

# The proofs of who owns an address that take their time: every cut and freeze as long as the promise says, and
# as many rounds as asked of all that is planned. What has no short form has the build tag proofs.
ROUNDS ?= 50
PROOFS ?= Cut|Adverts|WrongSegment|WithoutAnnouncements|LivingMachine|WithoutALifetime|TwoOfThree|WithoutAGrace|WhoOwns|Disk|StrangersAre|AllAreRestarted|JoinThatIsKilled|WhileItIsCutOff

# The build of the feature level before, from which a cluster is upgraded.
OLD_BIN = $(abspath $(BIN)-oldlevel)

.PHONY: oldlevel
oldlevel:
	@$(GO) build -trimpath -buildvcs=false -tags oldlevel -ldflags '-X main.version=1.0' -o $(OLD_BIN) ./cmd/quorate

# What keepalived and ldirectord do by their files, and quorate by what it imports from them, on one kernel.
export QUORATE_LDIRECTORD = $(abspath bin/ldirectord)
IMPORT_PROOF = $(IN_GUEST) $(GO) test -json -count=1 -timeout 30m ./e2e/imported

# To install ldirectord is to install dozens of packages for checks that no test makes. It is run from where it is
# unpacked, with the modules that it does not start without, and those for TLS.
LDIRECTORD_PACKAGES = ldirectord libclone-perl libhttp-date-perl libhttp-message-perl libio-socket-inet6-perl libio-socket-ssl-perl \
	liblwp-protocol-https-perl libmailtools-perl libnet-http-perl libnet-ssleay-perl libsocket6-perl libtry-tiny-perl liburi-perl libwww-perl

bin/ldirectord:
	@scripts/unpack $@ $(LDIRECTORD_PACKAGES)

.PHONY: proof-import
proof-import: setup-test build test-tools bin/ldirectord ## run keepalived and ldirectord, and quorate on what it imports, side by side, and compare what their kernels have
	@$(IMPORT_PROOF) | $(GO) run ./e2e/proof/page -about 'quorate $(VERSION)' -o /dev/null

.PHONY: proofs
proofs: setup-test build test-tools oldlevel bin/ldirectord ## run the proofs of who owns an address, of bad disks, strangers, restarts and joins, of upgrades, of the import, and of one history of reads and writes, in full length; writes docs/results/ownership-proofs-DATE.md; PROOFS=pattern of those without IPVS, ROUNDS=
	@mkdir -p docs/results; page=$(CURDIR)/docs/results/ownership-proofs-$$(date +%F).md; status=0; \
	{ QUORATE_PROOFS=1 CGO_ENABLED=1 $(GO) test -json -count=1 -race -tags proofs -timeout 2h -run 'IsOneHistory|StaleRead|UnderLoad|IsAlone' ./cluster; \
	QUORATE_PROOFS=1 CGO_ENABLED=1 QUORATE_LAB_ON_HOST=1 $(GO) test -json -count=1 -race -tags proofs -parallel 1 -timeout 2h -run '$(PROOFS)' ./e2e/wire; \
	QUORATE_ROUNDS=$(ROUNDS) $(IN_GUEST) $(GO) test -json -count=1 -timeout 2h -run TestWhatHappensToTheOwnerRequestsGoOn/round ./e2e/moves/holds; \
	QUORATE_OLD_BIN=$(OLD_BIN) $(IN_GUEST) $(GO) test -json -count=1 -timeout 2h ./e2e/upgrade; \
	$(IMPORT_PROOF); } | \
	$(GO) run ./e2e/proof/page -about 'quorate $(VERSION)' -o "$$page" || status=$$?; \
	echo "$$page"; exit $$status

# A cluster of the level before that is upgraded under traffic, rolled back half-way and upgraded again.
.PHONY: proof-upgrade
proof-upgrade: setup-test build test-tools oldlevel ## upgrade a cluster of the level before under traffic, with a way back half-way; writes docs/results/upgrade-DATE.md
	@mkdir -p docs/results; page=$(CURDIR)/docs/results/upgrade-$$(date +%F).md; out=$$(mktemp); status=0; \
	QUORATE_OLD_BIN=$(OLD_BIN) $(IN_GUEST) $(GO) test -count=1 -v -timeout 1h ./e2e/upgrade >$$out || status=1; \
	{ echo "# Upgrade from the level before, $$(date +%F)"; echo; \
	echo "Written by \`make proof-upgrade\` of quorate $(VERSION), $$(nproc) CPUs, from what its tests printed. TestWithoutTheLevelTheUpgradeDrifts"; \
	echo "is the control: the newer version writes what the older one does not know before the level is raised."; echo; \
	sed -n -e 's,/[^ ]*/bin/,,g' -e 's/^=== RUN  */## /p' -e 's/^ *upgrade_test.go:[0-9]*: \(refused\|requests\|hashes\)/- \1/p' \
		-e 's/^ *--- \(PASS\|FAIL\): \(.*\)/\n\1 \2\n/p' $$out; } >$$page; \
	[ $$status = 0 ] || cat $$out; rm $$out; echo $$page; exit $$status

# The steps of what is written, before each of which a process is killed and the power is cut, by a model of a disk that
# keeps no more than it must.
.PHONY: crash-points
crash-points: ## walk over every step of what is written to disk; writes docs/results/crash-points-DATE.md
	@mkdir -p docs/results; page=docs/results/crash-points-$$(date +%F).md; dir=$$(mktemp -d); status=0; \
	QUORATE_PROOFS=1 QUORATE_CRASH_PAGES=$$dir $(GO) test -count=1 -v -timeout 30m -run 'AtEachStep|AtAnyStep|BeforeItIsAcknowledged|TooEarly' ./cluster >$$dir/walk || status=1; \
	{ echo "# Crash points, $$(date +%F)"; echo; \
	echo "Written by \`make crash-points\` of quorate $(VERSION), $$(nproc) CPUs. Before each step a process is killed, and what is left is looked at"; \
	echo "twice: as the kill leaves it, and as a disk that keeps of a file what it had at its last sync, and of a directory its names then."; echo; \
	sed -n 's/^ *--- \(PASS\|FAIL\): \(.*\)/- \1 \2/p' $$dir/walk; echo; cat $$dir/*.md; } >$$page; \
	[ $$status = 0 ] || cat $$dir/walk; rm -r $$dir; echo $$page; exit $$status

# A guest that is killed with its disk, under writes, ROUNDS times.
.PHONY: power-cuts
power-cuts: setup-test build test-tools ## cut a director's power under writes; writes docs/results/power-cuts-DATE.md; ROUNDS=
	@mkdir -p docs/results; page=docs/results/power-cuts-$$(date +%F).md; out=$$(mktemp); status=0; \
	QUORATE_ROUNDS=$(ROUNDS) $(GO) test -count=1 -v -timeout 2h ./e2e/power >$$out || status=1; \
	{ echo "# Power cuts, $$(date +%F)"; echo; \
	echo "Written by \`make power-cuts\` of quorate $(VERSION), $$(nproc) CPUs. The guest is killed with all its processes at a random moment, most"; \
	echo "often under writes; its data is on a block device of its own, and what it had not synced is gone."; echo; \
	sed -n -e 's/.*RESULT /- /p' -e 's/^ *--- \(PASS\|FAIL\): \(.*\)/- \1 \2/p' $$out; } >$$page; \
	[ $$status = 0 ] || cat $$out; rm $$out; echo $$page; exit $$status

# How many scenarios are simulated, from which seed on; SEED replays the one of a seed with all that happens in it,
# with MUTANT switched off.
N    ?= 10000
FROM ?= 1
SEED ?=
MUTANT ?=
BOUND ?= 2000

.PHONY: sim
sim: ## simulate the ownership of addresses; N=scenarios, FROM=seed, SEED=the one to replay, MUTANT=what to switch off in it
	@$(GO) test -count=1 -timeout 24h ./e2e/sim -v $(if $(SEED),-run TestScenario -seed $(SEED) $(if $(MUTANT),-mutant '$(MUTANT)'),-run TestInvariants -scenarios $(N) -from $(FROM))

.PHONY: sim-mutants
sim-mutants: ## switch the system's safeguards off one by one, and see that the simulation finds each; BOUND=scenarios
	@$(GO) test -count=1 -timeout 24h ./e2e/sim -v -run TestMutantsAreFound -bound $(BOUND)

.PHONY: truth-table
truth-table: ## write docs/ownership-truth-table.md from the table that the simulation tests
	@$(GO) test -count=1 ./e2e/sim -run TestThePageOfTheTruthTable -update

.PHONY: fuzz
fuzz: ## fuzz every decoder for FUZZTIME each
	@list=$$($(GO) test -list '^Fuzz' $(HOST_PKGS)) || { echo "$$list"; exit 1; }; \
	targets=$$(echo "$$list" | awk '/^Fuzz/ { n[++i] = $$1 } /^ok/ { for (j = 1; j <= i; j++) print $$2, n[j]; i = 0 }'); \
	[ -n "$$targets" ] || { echo "no fuzz targets found"; exit 1; }; \
	echo "$$targets" | { bad=; \
	while read -r pkg name; do \
		echo "== $$pkg $$name"; \
		$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x "$$pkg" </dev/null || bad="$$bad $$name"; \
	done; \
	[ -z "$$bad" ] || { echo "failed:$$bad"; exit 1; }; }

.PHONY: setup setup-demo setup-test
setup: ## install what the demo and the tests need (Debian, Ubuntu)
	@scripts/setup demo test
setup-demo:
	@scripts/setup demo
setup-test:
	@scripts/setup test

.PHONY: install
install: $(BIN) ## install what `make build` made, and systemd units; PREFIX, DESTDIR
	install -D -m 0755 $(BIN) '$(DESTDIR)$(BINDIR)/quorate'
	install -d '$(DESTDIR)$(UNITDIR)'
	for unit in quorate-keeper.service quorate.service; do \
		sed 's,@BINDIR@,$(BINDIR),' dist/systemd/$$unit >'$(DESTDIR)$(UNITDIR)'/$$unit && \
		chmod 0644 '$(DESTDIR)$(UNITDIR)'/$$unit || exit 1; \
	done
	install -D -m 0644 dist/sysusers.d/quorate.conf '$(DESTDIR)$(SYSUSERSDIR)/quorate.conf'
	install -D -m 0644 dist/agent.hcl '$(DESTDIR)$(DOCDIR)/agent.hcl'
	install -d -m 0755 '$(DESTDIR)$(SYSCONFDIR)/quorate'
	@file='$(DESTDIR)$(SYSCONFDIR)/quorate/agent.hcl'; \
	if [ -e "$$file" ]; then echo "$$file is kept as it is"; \
	else echo "install -m 0600 dist/agent.hcl $$file" && install -m 0600 dist/agent.hcl "$$file"; fi
	@if [ -z '$(DESTDIR)' ] && [ -d /run/systemd/system ]; then \
		systemd-sysusers '$(SYSUSERSDIR)/quorate.conf' && systemctl daemon-reload && \
		echo "edit $(SYSCONFDIR)/quorate/agent.hcl, then: systemctl enable --now quorate"; \
	fi

.PHONY: uninstall
uninstall: ## remove what `make install` installed; configuration and data stay
	rm -f '$(DESTDIR)$(BINDIR)/quorate' '$(DESTDIR)$(UNITDIR)/quorate.service' '$(DESTDIR)$(UNITDIR)/quorate-keeper.service' \
		'$(DESTDIR)$(SYSUSERSDIR)/quorate.conf' '$(DESTDIR)$(DOCDIR)/agent.hcl'
	-rmdir '$(DESTDIR)$(DOCDIR)' 2>/dev/null
	@echo "$(SYSCONFDIR)/quorate and the data directory are kept; stop the services with: systemctl disable --now quorate quorate-keeper"

.PHONY: clean
clean: ## remove what was built, and the evidence of failed tests
	rm -rf bin e2e/artifacts
