{{/* The groups of functions, which `npm run docs` derives from serverless.yml, and the board if it is enabled. */}}
{{- define "warren.groups" -}}
{{- $groups := .Files.Get "files/groups.yaml" | fromYaml }}
{{- if not .Values.board.enabled }}{{ $groups = omit $groups "board" }}{{ end }}
{{- toYaml $groups }}
{{- end }}

{{/* Labels by which a group's pods are selected: dict root, group. */}}
{{- define "warren.selector" -}}
app.kubernetes.io/name: warren
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .group }}
{{- end }}

{{/* Labels of every object: dict root, and group if it belongs to one. */}}
{{- define "warren.labels" -}}
app.kubernetes.io/name: warren
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .group }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* What makes an object one of the hook that runs `prepare`: dict weight. */}}
{{- define "warren.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: {{ .delete | default "before-hook-creation,hook-succeeded" }}
{{- end }}

{{- define "warren.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* The files of authorities by name, each with its Secret or ConfigMap. */}}
{{- define "warren.authorities" -}}
{{- with .Values.broker.tls.authority }}
broker: {{ toJson . }}
{{- end }}
{{- with .Values.database.tls.authority }}
database: {{ toJson . }}
{{- end }}
{{- with .Values.authority }}
all: {{ toJson . }}
{{- end }}
{{- end }}

{{/* Parameters of the database's URL. */}}
{{- define "warren.databaseParameters" -}}
sslmode=verify-full{{ if .Values.database.tls.authority }}&sslrootcert=/etc/warren/database/ca.crt{{ end }}
{{- end }}

{{/* The broker's URL with the login of a user, whose password is in AMQP_PASSWORD: dict root, user. */}}
{{- define "warren.amqpUrl" -}}
{{- $broker := .root.Values.broker }}
{{- $parameters := list }}
{{- if and $broker.tls.enabled $broker.tls.authority }}
{{- $parameters = append $parameters "cacertfile=/etc/warren/broker/ca.crt" }}
{{- end }}
{{- if and $broker.tls.enabled $broker.tls.serverName }}
{{- $parameters = append $parameters (printf "server_name_indication=%s" $broker.tls.serverName) }}
{{- end }}
{{- $end := "" }}
{{- with $broker.vhost }}{{ $end = printf "/%s" (urlquery .) }}{{ end }}
{{- with $parameters }}{{ $end = printf "%s?%s" $end (join "&" .) }}{{ end }}
{{- $urls := list }}
{{- range $broker.hosts }}
{{- $urls = append $urls (printf "%s://%s:$(AMQP_PASSWORD)@%s%s" (ternary "amqps" "amqp" $broker.tls.enabled) $.user . $end) }}
{{- end }}
{{- join "," $urls }}
{{- end }}

{{/* A variable out of a Secret: dict variable, name, key, optional. */}}
{{- define "warren.secretVariable" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ .name }}
      key: {{ .key }}
      {{- if .optional }}
      optional: true
      {{- end }}
{{- end }}
