# Each target is one script; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help test check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## set up what is missing and run every test that needs no network but the package registries
	@scripts/test.sh

check: ## formatting, lints, docs, licences and bans, unused dependencies, the front end's types
	@scripts/check.sh

clean: ## remove what was built (installed packages and cargo tools stay)
	@scripts/clean.sh
