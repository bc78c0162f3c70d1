#!/bin/sh
# Runs the tests on several versions of RabbitMQ.
#
#   npm run test:brokers                         the whole suite and the fault course on 3.10, 4.0 and 4.3
#   npm run test:brokers -- 4.3                  the same on one of them
#   npm run test:brokers -- 4.0 4.3 -- test/runtime/cli     only these tests, without the fault course
#   npm run test:brokers -- --unpack 4.3         only unpacks it, and prints the path of its rabbitmq-server
#
# Debian 12 has RabbitMQ 3.10, Debian 13 has 4.0 and Debian's next release has 4.3. The newer ones need a newer Erlang and a newer
# libc, so this script unpacks their Debian into the data folder once. A mount in a private namespace replaces /usr for the broker's
# processes alone and disappears with them. All other folders stay the same, so the tests need no change.
set -eu
cd "$(dirname "$0")/.."
# As in .ci/run.
course='--seed 7 --pictures 300 --alerts 300 --calls 100 --away 8 --faults 14'
data="$PWD/${WARREN_DATA:-.data}"
case "${WARREN_DATA:-}" in /*) data="$WARREN_DATA" ;; esac

fail() {
  echo "$*" >&2
  exit 1
}

# Which Debian release has a version of RabbitMQ.
suite_of() {
  case "$1" in
    3.10) echo bookworm ;;
    4.0) echo trixie ;;
    4.3) echo forky ;;
    *) fail "version: expected 3.10, 4.0 or 4.3, got $1" ;;
  esac
}

version_in() {
  dpkg-query --admindir="$1/var/lib/dpkg" --show --showformat='${Version}' rabbitmq-server
}

install_debootstrap() {
  command -v debootstrap >/dev/null && return
  command -v apt-get >/dev/null || fail 'this needs debootstrap'
  {
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends debootstrap
  } >&2
}

# The mirror of this machine's own packages, so that a machine behind a proxy or with a mirror of its own needs no setting.
mirror() {
  sed -n -E 's/^(deb( \[[^]]*\])?|URIs:) (https?:[^ ]*\/debian)\/? ?.*/\3/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1
}

unpack() {
  version=$1 root=$2 suite=$(suite_of "$1")
  [ "$(id -u)" = 0 ] || fail "RabbitMQ $version is unpacked and mounted as root: run this as root"
  [ -L /bin ] || fail 'this needs a Linux whose /bin is a link to /usr/bin'
  install_debootstrap
  mkdir -p "$(dirname "$root")"
  # The folder gets its final name at the end, so that an interrupted unpacking starts again.
  rm -rf "$root.part"
  echo "Unpacking RabbitMQ $version from Debian $suite, once; this takes one to two minutes" >&2
  mirror=$(mirror)
  # An older debootstrap does not know the newest release, so its script is named, which requires naming the mirror as well.
  if [ -n "$mirror" ]; then set -- "$mirror" /usr/share/debootstrap/scripts/sid; else set --; fi
  debootstrap --variant=minbase --include=rabbitmq-server "$suite" "$root.part" "$@" >&2 ||
    fail "debootstrap failed; $root.part/debootstrap/debootstrap.log contains the reason"
  case "$(version_in "$root.part")" in
    "$version".*) ;;
    *) fail "Debian $suite: expected RabbitMQ $version, got $(version_in "$root.part")" ;;
  esac
  rm -rf "$root.part/var/cache/apt/archives" "$root.part/var/lib/apt/lists"
  mkdir "$root.part/warren"
  cat >"$root.part/warren/rabbitmq-server" <<'END'
#!/bin/sh
root=$(cd "$(dirname "$0")/.." && pwd)
exec unshare --mount sh -c 'mount --bind "$0/usr" /usr && exec "$@"' "$root" "/usr/lib/rabbitmq/bin/${0##*/}" "$@"
END
  chmod +x "$root.part/warren/rabbitmq-server"
  ln -s rabbitmq-server "$root.part/warren/rabbitmqctl"
  mv "$root.part" "$root"
}

# Prints the path of the rabbitmq-server of a version, after unpacking it if necessary.
server() {
  root="$data/rabbitmq-$1"
  [ -x "$root/warren/rabbitmq-server" ] || unpack "$1" "$root"
  echo "$root/warren/rabbitmq-server"
}

versions= only= tests=
while [ $# -gt 0 ]; do
  case "$1" in
    --unpack) only=yes ;;
    --) shift; tests=yes; break ;;
    [0-9].*) suite_of "$1" >/dev/null; versions="$versions $1" ;;
    *) tests=yes; break ;;
  esac
  shift
done

# Runs one step, and notes its outcome and its minutes.
step() {
  what=$1
  shift
  echo "==> RabbitMQ $version: $what: $*"
  begun=$(date +%s)
  outcome=passed
  WARREN_RABBITMQ="$program" "$@" || outcome=FAILED
  minutes=$((($(date +%s) - begun + 30) / 60))
  echo "==> RabbitMQ $version: $what: $outcome after $minutes min"
  summary="$summary$(printf '%-9s %-16s %-7s %4s min' "$version" "$what" "$outcome" "$minutes")
"
  [ "$outcome" = passed ] || failed="$failed, $what on $version"
}

failed= summary=
for series in ${versions:-3.10 4.0 4.3}; do
  program=$(server "$series")
  if [ -n "$only" ]; then
    echo "$program"
    continue
  fi
  version=$(version_in "$data/rabbitmq-$series")
  # Debian's own revision of the package is of no interest.
  version=${version%%-*}
  step 'the tests' npx vitest run "$@"
  # shellcheck disable=SC2086 # These are words.
  [ -n "$tests" ] || step 'the fault course' npm run test:faults -- $course
done
[ -n "$only" ] || printf '\n%s' "$summary"
# One version that fails hides nothing about the others.
[ -z "$failed" ] || fail "failed: ${failed#, }"
