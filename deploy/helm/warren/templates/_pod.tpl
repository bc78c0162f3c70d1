{{/*
A pod that the Pod Security Standard `restricted` admits: no root, no privileges, no token, no file that it could write but the board's cache.
dict root, group, definition, args, resources; serves (whether it has the port of HTTP), job (whether it ends by itself).
*/}}
{{- define "warren.pod" -}}
{{- $values := .root.Values }}
{{- $isBoard := eq .definition.command "board" }}
{{- $authorities := include "warren.authorities" .root | fromYaml }}
metadata:
  labels:
    {{- include "warren.selector" (dict "root" .root "group" .group) | nindent 4 }}
    {{- with $values.pods.labels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with merge (dict) $values.pods.annotations (ternary (dict "warren/secrets" $values.secrets.revision) (dict) (ne $values.secrets.revision "")) }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ .root.Release.Name }}-{{ .group }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .definition.grace }}
  {{- with $values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $values.pods.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $values.pods.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.pods.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    seccompProfile:
      type: RuntimeDefault
    {{- if $isBoard }}
    fsGroup: 65532
    {{- end }}
  {{- if .job }}
  # A failed pod stays until the job is deleted, so that its log does too.
  restartPolicy: Never
  {{- else }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "warren.selector" (dict "root" $.root "group" $.group) | nindent 10 }}
    {{- end }}
  {{- end }}
  containers:
    - name: warren
      image: {{ include "warren.image" .root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: {{ toJson .args }}
      env:
        {{- include "warren.env" . | trim | nindent 8 }}
      {{- if .job }}
      envFrom:
        - secretRef:
            name: {{ $values.secrets.broker }}
      {{- else if $isBoard }}
      # It listens to its own pod only.
      livenessProbe:
        exec:
          command:
            - node
            - -e
            - "fetch('http://127.0.0.1:9470/api/session').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"
        initialDelaySeconds: 10
        periodSeconds: 30
        timeoutSeconds: 10
      {{- else }}
      ports:
        {{- if .serves }}
        - name: http
          containerPort: 8080
        {{- end }}
        - name: metrics
          containerPort: 9464
      startupProbe:
        httpGet: { path: /healthz, port: metrics }
        periodSeconds: 2
        failureThreshold: 30
      readinessProbe:
        httpGet: { path: /readyz, port: metrics }
        periodSeconds: 5
      livenessProbe:
        httpGet: { path: /healthz, port: metrics }
        periodSeconds: 20
        timeoutSeconds: 5
      {{- end }}
      {{- if .serves }}
      # Until every load balancer has heard that it goes.
      lifecycle:
        preStop:
          sleep:
            seconds: 5
      {{- end }}
      resources:
        {{- toYaml .resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      {{- if or $isBoard $authorities }}
      volumeMounts:
        {{- if $isBoard }}
        - name: cache
          mountPath: /cache
        {{- end }}
        {{- range $part, $authority := $authorities }}
        - name: {{ $part }}-authority
          mountPath: /etc/warren/{{ $part }}
          readOnly: true
        {{- end }}
      {{- end }}
  {{- if or $isBoard $authorities }}
  volumes:
    {{- if $isBoard }}
    - name: cache
      {{- with $values.board.claim }}
      persistentVolumeClaim:
        claimName: {{ . }}
      {{- else }}
      emptyDir:
        sizeLimit: 256Mi
      {{- end }}
    {{- end }}
    {{- range $part, $authority := $authorities }}
    - name: {{ $part }}-authority
      {{- if $authority.secretName }}
      secret:
        secretName: {{ $authority.secretName }}
      {{- else }}
      configMap:
        name: {{ $authority.configMapName }}
      {{- end }}
        items:
          - key: {{ $authority.key | default "ca.crt" }}
            path: ca.crt
    {{- end }}
  {{- end }}
{{- end }}
