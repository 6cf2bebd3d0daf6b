# Pod networking from scratch: make help lists the targets.

ARGS ?=

# Handed over by the environment, so that a flag in ARGS beats it. DENO_CNI_NODE
# is taken: it marks the processes of a lab's node.
hand_over = $(if $($1),$(eval export DENO_CNI_$2 := $$($1)))
$(foreach name,CLUSTER RUNTIME POD FROM TO,$(call hand_over,$(name),$(name)))
$(call hand_over,NODE,SHELL_NODE)
# Some environments have a NAME of their own.
$(if $(findstring command,$(origin NAME)),$(call hand_over,NAME,NAME))
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

stages := 01-provision 02-kubeadm 03-cni-config 04-bridge 05-plugin 06-forwarding 07-masquerade 08-routes 09-verify
deno := @sh lib/dev/setup.sh
flags := run -A --cached-only --frozen

up: ## All nine stages, up to the matrix of what reaches what
	$(deno) lab $(flags) scripts/up.ts $(ARGS)

down: ## Remove the lab with all that runs in it
	$(deno) lab $(flags) scripts/down.ts $(ARGS)

01-provision: ## Stage 01: make the machines
02-kubeadm: ## Stage 02: make the cluster of them, and find out each node's podCIDR
03-cni-config: ## Stage 03: write each node's CNI configuration
04-bridge: ## Stage 04: put a bridge on every node
05-plugin: ## Stage 05: build the plugin and install it on every node
06-forwarding: ## Stage 06: let the nodes forward for their pods
07-masquerade: ## Stage 07: give pods a way out of the cluster
08-routes: ## Stage 08: tell every node which node owns which podCIDR
09-verify: ## Stage 09: start pods and try every path
$(stages):
	$(deno) lab $(flags) scripts/$@.ts $(ARGS)

verify: 09-verify ## The same as 09-verify

check-config: ## Check a cluster file without running anything
	$(deno) lab $(flags) scripts/check-config.ts $(ARGS)

shell: ## A shell on a node, NODE=worker-1, or in a pod of it, POD=shell
	$(deno) lab $(flags) scripts/shell.ts $(ARGS)

pod: ## One more pod in the lab, NODE=worker-1 NAME=db
	$(deno) lab $(flags) scripts/pod.ts $(ARGS)

trace: ## Follow one packet, FROM=worker-1/shell TO=worker-2/web
	$(deno) lab $(flags) scripts/trace.ts $(ARGS)

picture: ## Draw the cluster as it is
	$(deno) lab $(flags) scripts/picture.ts $(ARGS)

studio: ## A page to work on the cluster, in a browser
	$(deno) lab $(flags) scripts/studio.ts $(ARGS)

tour: ## A guided tour: the lab stage by stage, with the classic mistake
	$(deno) lab $(flags) scripts/tour.ts $(ARGS)

doctor: ## Look every node over for the known traps, each with what mends it
	$(deno) lab $(flags) scripts/doctor.ts $(ARGS)

status: ## Nodes, stages as they are on them, drift, pods and leases
	$(deno) lab $(flags) scripts/status.ts $(ARGS)

# What follows "exercise" is a word for it and no goal of its own.
exercise: ## Something to find and repair: make exercise 1, 1-hint, surprise
	$(deno) lab $(flags) scripts/exercise.ts $(words_of_exercise) $(ARGS)
ifeq ($(firstword $(MAKECMDGOALS)),exercise)
words_of_exercise := $(wordlist 2,9,$(MAKECMDGOALS))
$(words_of_exercise):
	@:
.PHONY: $(words_of_exercise)
endif

impair: ## Delay, loss, bandwidth of a link, NODE=worker-1 [POD=shell]
	$(deno) lab $(flags) scripts/impair.ts $(ARGS)

agent: ## The agent of a node, at work on the lab's nodes
	$(deno) lab $(flags) scripts/agent.ts $(ARGS)

plugin: ## Build the plugin into dist/
	$(deno) deno $(flags) scripts/plugin.ts $(ARGS)

image: ## The image of the agent, an OCI archive in dist/
	$(deno) deno $(flags) scripts/image.ts $(ARGS)

check: ## Format, lint, types and the quick tests, in seconds
	$(deno) deno $(flags) scripts/run-tests.ts check

test: ## All checks and all tests, in minutes; installs what they want, as root
	$(deno) test $(flags) scripts/run-tests.ts $(or $(ARGS),all)

bench: ## Measure the lab and the plugin beside their peers, in minutes
	$(deno) bench $(flags) scripts/bench.ts $(ARGS)

docs: ## Write what commands print into the pages that show it
	$(deno) lab $(flags) scripts/docs.ts $(ARGS)

fmt: ## Format the sources
	$(deno) deno fmt --quiet

clean: ## Remove what was built and fetched into this folder; a lab stays
	@rm -rf dist .tools

help: ## This list
	@sed -n 's/^\([a-z0-9-]*\):[a-z0-9 -]*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | while IFS='	' read -r name does; do printf '  %-15s %s\n' "$$name" "$$does"; done
	@echo 'RUNTIME=containerd: the pods of make up are real containers (as root)'
	@echo 'CLUSTER=FILE names another cluster (now $(or $(CLUSTER),$(DENO_CNI_CLUSTER),config/lab.yaml)); ARGS="…" gives flags: make 04-bridge ARGS=--help'

.DEFAULT_GOAL := up
.NOTPARALLEL:
.PHONY: up down $(stages) verify check-config shell pod trace picture studio tour doctor status exercise impair agent plugin image check test bench docs fmt clean help
