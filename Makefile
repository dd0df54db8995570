# Octet: a thin front for CMake, CTest and the scripts in tools/. `make help` lists the targets.
# Every target installs what it needs first (tools/deps.sh; a few milliseconds when nothing is
# missing) and works from a fresh clone.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.SUFFIXES:

JOBS ?= $(shell tools/jobs.sh)
PROMPT ?= a red apple on a blue background
OUT ?= out.png
ARGS ?=
PREFIX ?= /usr/local
DESTDIR ?=
MINUTES ?= 10
export JOBS PROMPT OUT

# The tests are compiled only by the targets that run them, so `make run` needs neither gtest nor
# their build time. Both kinds of target share build/.
CONFIGURE_PRODUCT = [ -f build/build.ninja ] || cmake --preset release -DOCTET_TESTS=OFF
CONFIGURE_TESTS = cmake --preset release -DOCTET_TESTS=ON

SOAK = python3 tests/soak/soak.py --octet build/octet
SOAK_KILL = $(SOAK) --kill 10 --minutes $$(python3 -c 'print($(MINUTES) / 2)') --json build/soak/kill.json

.PHONY: help deps build cuda run test check format test-full page-test asan tsan fuzz faults prometheus clients soak soak-kill \
        soak-idle soak-latency soak-engine release deb image install uninstall release-check quality requantize \
        golden bench clean

help: ## list the targets
	@echo 'make run PROMPT="a red apple on a blue background"   is the way in. All targets:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'
	@echo 'Variables: PROMPT, OUT and ARGS for run (ARGS="--seed 3"), JOBS for the compilers.'

deps: ## install the Debian packages that building and testing need
	@tools/deps.sh test

build: ## build the program: build/octet
	@tools/deps.sh build
	@$(CONFIGURE_PRODUCT)
	@ninja -C build -j $(JOBS) octet

cuda: ## build the program with the CUDA backend: build-cuda/octet (needs nvcc 13)
	@tools/deps.sh build
	@[ -f build-cuda/build.ninja ] || cmake --preset cuda -DOCTET_TESTS=OFF
	@ninja -C build-cuda -j $(JOBS) octet

run: build ## draw PROMPT into out.png
	@build/octet generate -o "$$OUT" $(ARGS) -- "$$PROMPT"
	@echo "The picture is in $$OUT"

test: ## build everything and run the tests
	@tools/deps.sh test
	@$(CONFIGURE_TESTS)
	@ninja -C build -j $(JOBS)
	@ctest --test-dir build --output-on-failure -j $(JOBS)

check: ## format, static analysis, sizes, include direction, repository hygiene
	@tools/deps.sh check
	@tools/format.sh --check
	@python3 tools/test_checks.py --quiet
	@python3 tools/check_includes.py
	@python3 tools/check_size.py
	@python3 tools/check_repo.py
	@$(CONFIGURE_TESTS) >/dev/null
	@python3 tools/tidy.py --build build --jobs $(JOBS)

format: ## rewrite the sources with clang-format
	@tools/deps.sh check
	@tools/format.sh

test-full: page-test asan tsan fuzz faults prometheus ## the page, sanitizers, fuzzers, planted faults, a real Prometheus

page-test: ## the web page in a headless Chromium: clicks, keys, drags, contrast
	@tools/deps.sh page
	@$(CONFIGURE_PRODUCT)
	@ninja -C build -j $(JOBS) octet
	@python3 tests/page/page_test.py $(ARGS)

asan: ## the tests under the address and undefined-behaviour sanitizers
	@tools/sanitize.sh asan

tsan: ## the tests under the thread sanitizer
	@tools/sanitize.sh tsan

fuzz: ## every fuzzer for FUZZ_SECONDS (60)
	@tools/deps.sh full
	@tools/fuzz.sh

faults: ## plant each known fault and see a test fail
	@tools/deps.sh test
	@tests/faults/run.sh

clients: build ## the official openai client, unmodified, and the sequences of Open WebUI and SillyTavern
	@python3 -B tests/clients/sequences_test.py build/octet
	@python3 -B tests/clients/tls_test.py build/octet
	@tools/python.sh clients -B tests/clients/openai_test.py build/octet

prometheus: build ## a real Prometheus reads a server, promtool tests the alert rules
	@tools/deps.sh full
	@tools/prometheus_check.sh

soak: build ## 200 clients for MINUTES (10), then half as long with the worker killed every 10 s
	@$(SOAK) --minutes $(MINUTES) --json build/soak/soak.json; first=$$?; $(SOAK_KILL) && exit $$first

soak-kill: build ## 200 clients while the worker is killed every 10 s, for half of MINUTES
	@$(SOAK_KILL)

soak-idle: build ## 1000 connections that do nothing, for half of MINUTES: /healthz, speed, memory
	@python3 tests/soak/idle.py --octet build/octet \
	    --minutes $$(python3 -c 'print($(MINUTES) / 2)') --json build/soak/idle.json

soak-latency: build ## what HTTP adds to a picture, cancel to idle, what previews cost
	@python3 tests/soak/latency.py --octet build/octet --json build/soak/latency.json

soak-engine: ## generate for SOAK_SECONDS (600) in one process and watch its memory
	@tools/soak.sh

release: ## dist/octet-VERSION-linux-x86_64.tar.zst (RELEASE_PRESET=release: without CUDA)
	@tools/deps.sh release
	@tools/release.sh

deb: ## dist/octet_VERSION_amd64.deb (RELEASE_PRESET=release: without CUDA)
	@tools/deps.sh release
	@tools/deb.sh

image: release ## dist/octet-VERSION-image.tar, an OCI image, without a daemon (needs root)
	@tools/deps.sh image
	@tools/image.sh

install: build ## install below PREFIX (/usr/local); DESTDIR for packagers
	@tools/deps.sh release
	@ninja -C build octet_manual
	@DESTDIR="$(DESTDIR)" cmake --install build --prefix "$(PREFIX)" --strip

uninstall: ## remove what make install put there
	@DESTDIR="$(DESTDIR)" tools/uninstall.sh

release-check: build ## two equal releases, tried in Debian 11, 12 and 13; a newcomer's first hour (needs root)
	@tools/deps.sh release
	@tools/python.sh sbom tools/check_sbom.py build/octet
	@tools/reproducible.sh
	@tools/release_rooms.sh
	@tools/deps.sh image
	@tools/image_check.sh
	@tools/examples_check.sh
	@tools/install_check.sh
	@tools/clean_room.sh

quality: build ## measure the pictures of the emoji model, FP8 and FP16 (training/quality.py)
	@tools/deps.sh quality
	@[ -f training/work/atlas.npz ] || tools/python.sh pictures training/glyphs.py
	@tools/python.sh pictures training/quality.py --engine build/octet --variant fp8 $(ARGS)
	@tools/python.sh pictures training/quality.py --engine build/octet --variant fp16 --kinds name $(ARGS)

# The committed file is only read: copy the new one over it by hand where it shall change.
requantize: build ## make the emoji model's FP8 variant again and compare it with the committed one
	@build/octet quantize models/emoji --variant fp16 --calibration models/emoji/calibration.txt \
	    --holdout models/emoji/holdout.txt --modulation fp8 --out build/emoji.fp8.safetensors
	@cmp build/emoji.fp8.safetensors \
	    models/emoji/transformer/diffusion_pytorch_model.fp8.safetensors
	@echo "Equal to the committed file, byte for byte"

golden: ## regenerate the golden fixtures with diffusers (tests/golden/README.md)
	@tools/python.sh reference tests/golden/make_golden.py $(ARGS)

bench: build ## time the program against diffusers (bench/README.md)
	@tools/python.sh reference bench/compare_diffusers.py $(ARGS)

clean: ## remove everything that was built
	rm -rf build build-asan build-tsan build-fuzz build-faults build-debug build-cuda build-release* dist
