#!/bin/sh
# Writes secrets.env, broker.env, admin.env and scaler.env into this folder, with new passwords for the broker's users, each for
# a Secret of the chart (warren-secrets, warren-broker, warren-admin, warren-scaler):
#   sh make-secrets.sh
# The addresses and logins of existing parts come from the environment. Existing files stay as they are.
# ALERT_ROUTES and TEXTS_WEBHOOK_URL may come from there too: anyone who knows a webhook's address may write to it.
# ADMIN_DATABASE_URL is another role, which makes the tables and the functions' login: docs/deploy-containers.md.
set -eu
umask 077
# A recipient's name may be in quotes, so the routes name the variables and do not contain the addresses.
if [ -z "${ALERT_ROUTES:-}" ]; then
  : "${ALERTS_OPS_TO:?expected the addresses that critical alerts are mailed to}"
  : "${ALERTS_API_TO:?expected the addresses that alerts about rate limits are mailed to}"
  route() { printf '"%s": {"subject": "%s", "to": {"variable": "%s"}}' "$@"; }
  critical=$(route critical 'CRITICAL ALERT' ALERTS_OPS_TO)
  ALERT_ROUTES="{$critical, $(route rate_limit 'RATE LIMIT ALERT!' ALERTS_API_TO)}"
fi
: "${DATABASE_URL:?expected the URL of the functions\' user of PostgreSQL}"
: "${SMTP_URL:?expected the URL of the mail server}"
: "${ADMIN_AMQP_URL:?expected the URL of an administrator at the broker, amqp://...}"
: "${ADMIN_MANAGEMENT_URL:?expected the same of the management API, http://...:15672}"
secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
write() {
  if [ -e "$1" ]; then
    echo "$1 is there and stays as it is" >&2
    cat > /dev/null
  else
    cat > "$1"
  fi
}

for user in HTTP SCHEDULE ALERTS PICTURES RESIZE BOOKINGS RPC ALERT_CLIENT PICTURE_CLIENT RPC_CLIENT OPERATOR MONITOR; do
  echo "AMQP_PASSWORD_$user=$(secret)"
done | write broker.env
# The management API's address, with the login that may only read it.
password=$(sed -n 's/^AMQP_PASSWORD_MONITOR=//p' broker.env)
monitored() { echo "$ADMIN_MANAGEMENT_URL" | sed "s#//[^@/]*@#//#; s#//#//monitor:$password@#; s#/*\$##"; }
# KEDA takes no parameters in it, and gets the authority's certificate from the chart.
scaled() { monitored | sed 's#/*?.*$##; s#$#/#'; }
case $ADMIN_MANAGEMENT_URL in https:*) tls=enable ;; *) tls=disable ;; esac

write secrets.env <<END
DATABASE_URL=$DATABASE_URL
SMTP_URL=$SMTP_URL
ALERT_ROUTES=$ALERT_ROUTES
ALERTS_OPS_TO=${ALERTS_OPS_TO:-}
ALERTS_API_TO=${ALERTS_API_TO:-}
TEXTS_WEBHOOK_URL=${TEXTS_WEBHOOK_URL:-}
AMQP_MANAGEMENT_URL=$(monitored)
AUTH_JWT_SECRET=${AUTH_JWT_SECRET:-$(secret)}
UNSUBSCRIBE_SECRET=$(secret)
AWS_ACCESS_KEY_ID=${AWS_ACCESS_KEY_ID:-}
AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY:-}
END
write admin.env <<END
AMQP_URL=$ADMIN_AMQP_URL
AMQP_MANAGEMENT_URL=$ADMIN_MANAGEMENT_URL
DATABASE_URL=${ADMIN_DATABASE_URL:-$DATABASE_URL}
FUNCTIONS_DATABASE_URL=${ADMIN_DATABASE_URL:+$DATABASE_URL}
END
write scaler.env <<END
host=$(scaled)
tls=$tls
END
