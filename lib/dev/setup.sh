#!/bin/sh
# Finds what the project needs, installs what is missing, and runs Deno:
#
#   setup.sh FOR [ARGUMENTS of deno…]
#
# FOR is "deno" (Deno and the packages of deno.json), "lab" (also the programs
# that nodes made of namespaces need), "test" or "bench" (also what those try
# us against). Where nothing is missing this only looks, in a few milliseconds.
set -eu

deno_version=2.9.6 # of the official installer; npm gives the newest patch of 2.9

# What must be there, as program:package, or /file:package where it need not be on PATH.
lab="ip:iproute2 iptables:iptables ping:iputils-ping unshare:util-linux flock:util-linux \
  mount:mount hostname:hostname ps:procps busybox:busybox-static nft:nftables"
[ "${DENO_CNI_RUNTIME:-}" != containerd ] || lab="$lab containerd:containerd runc:runc"
# What is wanted: without it, tests are skipped by name and figures are left out.
test="/usr/lib/cni/host-local:containernetworking-plugins containerd:containerd runc:runc \
  podman:podman sshd:openssh-server ssh:openssh-client sudo:sudo zstd:zstd \
  chromium:chromium chromedriver:chromium-driver shellcheck:shellcheck \
  promtool:prometheus tcpdump:tcpdump bird:bird2"
bench="/usr/lib/cni/host-local:containernetworking-plugins mn:mininet brctl:bridge-utils \
  iperf3:iperf3 bird:bird2"

fail() {
  echo "$*" >&2
  exit 1
}

# The packages of those of the named programs that are missing, each once.
missing() {
  packages=
  for item in "$@"; do
    program=${item%%:*} package=${item#*:}
    case " $packages " in *" $package "*) continue ;; esac
    is_there "$program" || packages="$packages${packages:+ }$package"
  done
  echo "$packages"
}

is_there() {
  case $1 in
  /*) [ -e "$1" ] ;;
  # Some builds of busybox have no web server.
  busybox) command -v busybox >/dev/null && busybox --list 2>/dev/null | grep -qx httpd ;;
  *) command -v "$1" >/dev/null ;;
  esac
}

# Runs a command that says nothing unless it fails.
quietly() {
  if said=$("$@" </dev/null 2>&1); then return 0; fi
  echo "$said" >&2
  return 1
}

apt_install() { # PACKAGES…
  set -- env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
    -o DPkg::Lock::Timeout=120 install "$@"
  # The lists of packages may be absent, or out of date.
  as_root "$@" >/dev/null 2>&1 || { quietly as_root apt-get -qq update && quietly as_root "$@"; }
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

can_be_root() {
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -v; }
}

# Installs packages. Where it cannot it says why and how, and fails.
install_packages() { # PACKAGES, in one word
  [ -n "$1" ] || return 0
  how="apt-get install --no-install-recommends $1"
  if ! command -v apt-get >/dev/null; then
    echo "Missing here, by the names of Debian's packages: $1." \
      "Install them, then run make again" >&2
    return 1
  elif ! can_be_root; then
    echo "Missing: $1. As root, run: $how" >&2
    return 1
  fi
  echo "Installing: $1 (apt-get)" >&2
  # shellcheck disable=SC2086 # a list of words
  apt_install $1 || {
    echo "Could not install $1. To see why, as root run: apt-get update && $how" >&2
    return 1
  }
}

install_system() {
  case $1 in
  deno) needed='' wanted='' ;;
  lab) needed=$lab wanted= ;;
  test) needed=$lab wanted=$test ;;
  bench) needed=$lab wanted=$bench ;;
  *) fail "setup.sh $1: expected deno, lab, test or bench" ;;
  esac
  # shellcheck disable=SC2086 # lists of words
  {
    install_packages "$(missing $needed)" || exit 1
    still=$(missing $needed)
    [ -z "$still" ] ||
      fail "Installed, but not found on PATH: what $still should bring (PATH is $PATH)"
    install_packages "$(missing $wanted)" || echo "Going on without: $(missing $wanted)" >&2
  }
}

good_deno() {
  case $("$1" --version 2>/dev/null) in
  "deno 2.9."* | "deno 2."[1-9][0-9]*) deno=$1 ;;
  *) return 1 ;;
  esac
}

find_deno() {
  good_deno deno || good_deno "$tools/node_modules/@deno/linux-$processor-glibc/deno" ||
    good_deno "$tools/deno/bin/deno"
}

install_deno() {
  [ -n "$processor" ] ||
    fail "Deno is not made for $(uname -m): install Deno 2.9 or newer on PATH yourself"
  mkdir -p "$tools"
  if command -v npm >/dev/null && from_npm && find_deno; then return; fi
  from_installer && find_deno && return
  fail "Could not install Deno. Put Deno 2.9 or newer (of major 2) on PATH, then run make again:" \
    https://docs.deno.com/runtime/getting_started/installation
}

# The very executable, without the script of node around it.
from_npm() {
  echo "Installing Deno into .tools (npm)" >&2
  new=$tools/new.$$
  trap 'rm -rf "$new"' EXIT
  trap 'exit 130' INT TERM
  mkdir "$new"
  if quietly npm install --prefix "$new" --no-save --ignore-scripts --no-audit --no-fund \
    --no-update-notifier --loglevel=error "@deno/linux-$processor-glibc@~2.9.0"; then
    rm -rf "$tools/node_modules"
    mv "$new/node_modules" "$tools/node_modules"
  fi
  rm -rf "$new"
}

from_installer() {
  echo "Installing Deno into .tools (its official installer)" >&2
  needed=$(missing curl:curl unzip:unzip /etc/ssl/certs/ca-certificates.crt:ca-certificates)
  install_packages "$needed" || exit 1
  quietly curl -fsSL --retry 2 -o "$tools/install.sh" https://deno.land/install.sh &&
    quietly env DENO_INSTALL="$tools/deno" sh "$tools/install.sh" "v$deno_version"
}

# Whether Deno's cache has every package of the lock file.
packages_cached() {
  cache=${DENO_DIR:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/deno}
  while IFS='"' read -r _ package rest; do
    case $rest in ": {") ;; *) continue ;; esac
    case $package in ?*@[0-9]*) ;; *) continue ;; esac
    for folder in "$cache/npm/"*"/${package%@*}/${package##*@}"; do
      [ -d "$folder" ] || return 1
    done
  done <"$root/deno.lock"
}

cache_packages() {
  packages_cached && return
  echo "Fetching the packages of deno.json" >&2
  (cd "$root" && quietly "$deno" install --frozen --quiet) ||
    fail "Could not fetch the packages of deno.json;" \
      "this needs an npm registry (NPM_CONFIG_REGISTRY names another one)"
}

root=$(cd "$(dirname "$0")/../.." && pwd)
tools=$root/.tools
case $(uname -m) in
x86_64) processor=x64 ;;
aarch64 | arm64) processor=arm64 ;;
*) processor= ;;
esac

# Trust whom the machine trusts, which may be more than what Deno and npm bring along.
export DENO_TLS_CA_STORE="${DENO_TLS_CA_STORE:-system,mozilla}" DENO_NO_UPDATE_CHECK=1
authorities=/etc/ssl/certs/ca-certificates.crt
if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -r $authorities ]; then
  export NODE_EXTRA_CA_CERTS=$authorities
fi
# Without a home of one's own the cache is kept here.
if [ -z "${DENO_DIR:-}${XDG_CACHE_HOME:-}" ] && ! { [ -n "${HOME:-}" ] && [ -w "$HOME" ]; }; then
  export DENO_DIR="$tools/cache"
fi

what=${1:?"expected deno, lab, test or bench"}
shift
install_system "$what"
find_deno || install_deno
cache_packages
exec "$deno" "$@"
