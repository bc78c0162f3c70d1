#!/bin/sh
# Runs the tests on RabbitMQ 4: `npm run test:rabbitmq4`, with the names of test files after `--` or all of them.
#
# Debian 12 has RabbitMQ 3.10; Debian 13 has 4.0, which needs a newer Erlang and a newer libc. So this script unpacks Debian
# 13 into the data folder once. A mount in a private namespace replaces /usr for the broker's processes alone and disappears
# with them. All other folders stay the same, so the tests need no change.
set -eu
cd "$(dirname "$0")/.."
root="$PWD/${WARREN_DATA:-.data}/rabbitmq-4"
case "${WARREN_DATA:-}" in /*) root="$WARREN_DATA/rabbitmq-4" ;; esac

fail() {
  echo "$*" >&2
  exit 1
}

unpack() {
  if ! command -v debootstrap >/dev/null; then
    command -v apt-get >/dev/null || fail 'this needs debootstrap'
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends debootstrap
  fi
  # The folder gets its final name at the end, so that an interrupted unpacking starts again.
  rm -rf "$root.part"
  debootstrap --variant=minbase --include=rabbitmq-server trixie "$root.part" ||
    fail "debootstrap failed; $root.part/debootstrap/debootstrap.log contains the reason"
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

if [ ! -x "$root/warren/rabbitmq-server" ]; then
  [ "$(id -u)" = 0 ] || fail 'RabbitMQ 4 is unpacked and mounted as root: run this as root'
  [ -L /bin ] || fail 'this needs a Linux whose /bin is a link to /usr/bin'
  mkdir -p "$(dirname "$root")"
  unpack
fi

version=$(dpkg-query --admindir="$root/var/lib/dpkg" --show --showformat='${Version}' rabbitmq-server)
echo "RabbitMQ $version of Debian 13, from $root"
WARREN_RABBITMQ="$root/warren/rabbitmq-server" exec npx vitest run "$@"
