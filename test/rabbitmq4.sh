#!/bin/sh
# Runs the tests on RabbitMQ 4: `npm run test:rabbitmq4`, with the names of test files after `--` or all of them.
#
# Debian 12 has RabbitMQ 3.10; Debian 13 has 4.0, which wants a newer Erlang, which wants a newer libc. So Debian 13 is
# unpacked into the data folder, once, and its /usr takes the place of ours for the broker's processes alone: a mount in a
# namespace of their own, gone with them. All other folders stay the same, so that the tests know no difference.
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
  # Under another name until it is whole: one that was broken off is begun anew.
  rm -rf "$root.part"
  debootstrap --variant=minbase --include=rabbitmq-server trixie "$root.part" ||
    fail "debootstrap failed; $root.part/debootstrap/debootstrap.log says why"
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
