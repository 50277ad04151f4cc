# Everything a developer needs; the work is in packaging/*.sh. `make help` explains.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run test test-vm test-systemd test-arm bench check fmt lint fuzz clean

help: ## This list
	@echo 'Callreel: records calls and plays them back. On Debian 12; root or sudo only to install packages.'
	@echo
	@sed -n 's/^\([a-z-]*\): ## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

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
