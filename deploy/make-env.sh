#!/bin/sh
# Prints the settings of compose.yaml, with new secrets:
#   (umask 077; sh deploy/make-env.sh > .env)
# ALERTS_OPS_TO and ALERTS_API_TO may come from the environment.
# Once: databases keep the passwords they were made with. See docs/runbook.md for how to change one.
set -eu
secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
# Compose reads a value in single quotes as it is. One that contains such a quote is written in double quotes, with escapes.
quoted() {
  case $1 in
    *\'*) printf '"%s"' "$(printf '%s' "$1" | sed 's/["\\$]/\\&/g')" ;;
    *) printf "'%s'" "$1" ;;
  esac
}

cat <<END
# Where people reach the HTTP functions, and the storage: links in mails and in answers begin with these.
PUBLIC_URL=http://localhost:8080
STORAGE_URL=http://localhost:9000

# Who is mailed. Mails end in Mailpit, at http://localhost:8025, until SMTP_URL names another server.
MAIL_FROM="Warren <warren@example.com>"
# Recipients of alerts: one or several addresses, such as 'ops@example.com, "Shift, Night" <night@example.com>'.
ALERTS_OPS_TO=$(quoted "${ALERTS_OPS_TO:-ops@example.com}")
ALERTS_API_TO=$(quoted "${ALERTS_API_TO:-api@example.com}")

# Keys of tokens and of links in mails.
AUTH_JWT_SECRET=$(secret)
UNSUBSCRIBE_SECRET=$(secret)

# The parts' own passwords.
RABBITMQ_PASSWORD=$(secret)
POSTGRES_PASSWORD=$(secret)
DATABASE_PASSWORD=$(secret)
STORAGE_ROOT_PASSWORD=$(secret)

# The broker's users, each with just the rights that serverless.yml gives it.
END
for user in HTTP SCHEDULE ALERTS PICTURES RESIZE BOOKINGS RPC ALERT_CLIENT PICTURE_CLIENT RPC_CLIENT OPERATOR MONITOR; do
  echo "AMQP_PASSWORD_$user=$(secret)"
done

cat <<END

# The storage's accounts, each with the rights that serverless.yml gives its functions.
END
for account in HTTP SCHEDULE RESIZE RPC; do
  echo "STORAGE_PASSWORD_$account=$(secret)"
done
