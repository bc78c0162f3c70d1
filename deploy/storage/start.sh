#!/bin/sh
# Starts VersityGW with an account for each variable STORAGE_PASSWORD_<NAME>. An account may do nothing until the bucket's policy
# allows it something (`warren prepare --accounts`). ROOT_ACCESS_KEY_ID and ROOT_SECRET_ACCESS_KEY are the administrator's.
set -eu
umask 077
accounts=${STORAGE_ACCOUNTS:-/tmp/accounts}
mkdir -p "$accounts"
separator=
{
  printf '{"accessAccounts":{'
  for variable in $(env | sed -n 's/^\(STORAGE_PASSWORD_[A-Z0-9_]*\)=.*/\1/p' | sort); do
    eval "password=\$$variable"
    case $password in
      '' | *[!A-Za-z0-9_-]*)
        echo "$variable: expected letters, digits, _ and -, got something else" >&2
        exit 1
        ;;
    esac
    name=$(echo "${variable#STORAGE_PASSWORD_}" | tr 'A-Z_' 'a-z-')
    printf '%s"%s":{"access":"%s","secret":"%s","role":"user"}' "$separator" "$name" "$name" "$password"
    separator=,
    # The program needs them from the file only.
    unset "$variable"
  done
  printf '}}'
} > "$accounts/users.json"

exec versitygw --port "${STORAGE_ADDRESS:-:9000}" --iam-dir "$accounts" --health /health --quiet posix "${STORAGE_FOLDER:-/data}"
