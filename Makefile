# Everything a developer needs; the work is in packaging/*.sh. `make help` explains.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run test test-vm test-systemd test-arm test-install test-emulated
.PHONY: build package bundle vendor bench check fmt lint fuzz clean

help: ## This list
	@echo 'Callreel: records calls and plays them back. On Debian 12; root or sudo only to install packages.'
	@echo
	@sed -n 's/^\([a-z-]*\): ## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

setup: ## Install what running, testing and benchmarking need, and say why
	@packaging/setup.sh run && packaging/setup.sh test && packaging/setup.sh bench

run: ## Build, start the daemon with a talking demo line, record a call, show how to fetch it
	@exec packaging/run.sh

test: ## Format, lints, unit, integration and doc tests, fuzz targets; ends with the count
	@exec packaging/test.sh

test-vm: ## The daemon on telephone channels and a loopback card of a real kernel, emulated (NAMES='10-loop ...')
	@exec packaging/test-vm.sh $(NAMES)

test-systemd: ## The package under systemd in a virtual machine: boot, watchdog, reload, update, power cuts (NAMES=...)
	@exec packaging/test-systemd.sh $(NAMES)

test-arm: ## The ARM package on an emulated ARM machine, with systemd and its own kernel (NAMES=...)
	@exec packaging/test-arm.sh $(NAMES)

test-install: ## The offline bundle on the smallest Debian 12 without a network: install, update, remove, purge (as root)
	@exec packaging/test-install.sh

test-emulated: ## The programs for another machine under user emulation (TARGET=aarch64 or armv7)
	@exec packaging/test-emulated.sh $(TARGET)

build: ## Programs for TARGET=x86_64, aarch64 or armv7, in target/dist (ARGS=--twice proves that it is reproducible)
	@exec packaging/build $(ARGS) $(or $(TARGET),$(shell uname -m))

package: ## The Debian package for ARCH=amd64, arm64 or armhf, in target/dist
	@exec packaging/package $(or $(ARCH),$(shell dpkg --print-architecture))

bundle: ## One archive to install from without a network, for ARCH=amd64, arm64 or armhf
	@exec packaging/bundle $(or $(ARCH),$(shell dpkg --print-architecture))

vendor: ## The source archive that builds without a network (ARGS=--prove builds it so)
	@exec packaging/vendor $(ARGS)

bench: ## The benchmarks beside their peers (ARGS='--quick ranges'); JSON in target/bench
	@exec packaging/bench.sh $(ARGS)

check: ## Format and lints only
	@exec packaging/check.sh fmt lint

fmt: ## Format the code
	@exec packaging/check.sh fix

lint: ## clippy over everything, warnings are errors
	@exec packaging/check.sh lint

fuzz: ## Run each fuzz target (SECONDS_EACH=10)
	@exec packaging/fuzz.sh $(SECONDS_EACH)

clean: ## Remove everything that was built, the demo's recordings included
	@exec packaging/clean.sh
