{{/*
The variables of a group, and no others: settings that have a value, then secrets. Its login at the broker is its own.
dict root, group (name), definition (of files/groups.yaml).
*/}}
{{- define "warren.env" -}}
{{- $values := .root.Values }}
{{- range $variable, $need := .definition.settings }}
{{- with get $values.settings $variable }}
- name: {{ $variable }}
  value: {{ replace "$(" "$$(" . | quote }}
{{- end }}
{{- end }}
{{- if $values.authority }}
- name: NODE_EXTRA_CA_CERTS
  value: /etc/warren/all/ca.crt
{{- end }}
{{- if eq .definition.command "board" }}
- name: WARREN_CACHE
  value: /cache
{{- end }}
{{- with .definition.password }}
{{ include "warren.secretVariable" (dict "variable" "AMQP_PASSWORD" "name" $values.secrets.broker "key" .) }}
- name: AMQP_URL
  value: {{ include "warren.amqpUrl" (dict "root" $.root "user" ($.definition.user | default $.group)) | quote }}
{{- end }}
{{- include "warren.secrets" (dict "root" .root "secrets" .definition.secrets "name" $values.secrets.functions "from" $values.secrets.from) }}
{{- include "warren.secrets" (dict "root" .root "secrets" .definition.administrators "name" $values.secrets.admin "from" $values.secrets.adminFrom) }}
{{- end }}

{{/* Variables out of Secrets: dict root, secrets (whether each is required), name (of the usual Secret), from (exceptions). */}}
{{- define "warren.secrets" -}}
{{- $tls := .root.Values.database.tls.enabled }}
{{- range $variable, $need := .secrets }}
{{- $from := get $.from $variable | default dict }}
{{- $withTls := and $tls (eq $variable "DATABASE_URL") }}
{{- $name := ternary "DATABASE_LOGIN_URL" $variable $withTls }}
{{ include "warren.secretVariable" (dict "variable" $name "name" ($from.name | default $.name) "key" ($from.key | default $variable) "optional" (eq $need "optional")) }}
{{- if $withTls }}
- name: DATABASE_URL
  value: {{ printf "$(DATABASE_LOGIN_URL)?%s" (include "warren.databaseParameters" $.root) | quote }}
{{- end }}
{{- end }}
{{- end }}
