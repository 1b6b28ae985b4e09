#!/bin/sh
# Installs the Debian packages of the servers that the tests start, as far as they are missing.
# Without root it says which ones are missing and goes on: the tests that need them are skipped by name.
set -eu
missing=""
need() { # package, then the paths of which one must be there
  package=$1; shift
  for path in "$@"; do [ -e "$path" ] && return 0; done
  missing="$missing $package"
}
need dovecot-imapd /usr/lib/dovecot/imap
need dovecot-lmtpd /usr/lib/dovecot/lmtp
need exim4-daemon-light /usr/sbin/exim4
need openssl /usr/bin/openssl
need postgresql /usr/lib/postgresql/*/bin/initdb
need chromium /usr/bin/chromium /usr/bin/chromium-browser
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ]; then
  echo "not root: tests that need these Debian packages will be skipped:$missing" >&2
  exit 0
fi
if ! command -v apt-get >/dev/null; then
  echo "not Debian: tests that need these packages will be skipped:$missing" >&2
  exit 0
fi
echo "installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null
