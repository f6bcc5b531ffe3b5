# Each target is one script; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help run test test-long check story bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## set up what is missing, build, and open the desktop app (RELEASE=1: optimised build)
	@scripts/run.sh

test: ## set up what is missing and run every test that needs no network but the package registries
	@scripts/test.sh

test-long: ## the same families of tests with ten times the cases and more; takes hours
	@scripts/test-long.sh

check: ## formatting, lints, docs, licences and bans, unused dependencies, the front end's types
	@scripts/check.sh

story: ## play the story unattended in a real window; screenshots go to target/story/
	@scripts/story.sh

bench: ## measure release builds, with the machine's load and its limit of durable writes beside each figure
	@scripts/bench.sh

clean: ## remove what was built (installed packages and cargo tools stay)
	@scripts/clean.sh
