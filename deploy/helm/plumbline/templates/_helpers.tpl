{{- define "plumbline.name" -}}
{{- if contains "plumbline" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-plumbline" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end -}}

{{- define "plumbline.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}:{{ $tag }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ $tag }}{{ end -}}
{{- end -}}

{{- /* Labels of one process: list root, name. */ -}}
{{- define "plumbline.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: plumbline
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "plumbline.match" -}}
{{ dict "matchLabels" (include "plumbline.selector" . | fromYaml) | toJson }}
{{- end -}}

{{- define "plumbline.labels" -}}
{{- $root := index . 0 -}}
{{ include "plumbline.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{- define "plumbline.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{- define "plumbline.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
{{- end -}}

{{- /* A value of a secret as a variable: name, secret, key. */ -}}
{{- define "plumbline.secretEnv" -}}
- name: {{ index . 0 }}
  valueFrom: { secretKeyRef: { name: {{ index . 1 | quote }}, key: {{ index . 2 | quote }} } }
{{- end -}}

{{- /* Variables by which a process reaches the brokers: list root, its section of the values. */ -}}
{{- define "plumbline.kafkaEnv" -}}
{{- $root := index . 0 -}}{{- $own := index . 1 -}}{{- $kafka := $root.Values.kafka -}}
- { name: PLUMBLINE_KAFKA_BROKERS, value: {{ required "kafka.brokers: name at least one broker, host:port" (join "," $kafka.brokers | default nil) | quote }} }
- { name: PLUMBLINE_KAFKA_PREFIX, value: {{ $kafka.prefix | quote }} }
{{- if $kafka.tls.enabled }}
- { name: PLUMBLINE_KAFKA_TLS, value: 'true' }
{{- if $kafka.tls.caSecretName }}
- { name: PLUMBLINE_KAFKA_CA_FILE, value: /run/secrets/kafka-ca/{{ $kafka.tls.caKey }} }
{{- end }}
{{- if $own.kafkaTlsSecretName }}
- { name: PLUMBLINE_KAFKA_CERT_FILE, value: /run/secrets/kafka-tls/tls.crt }
- { name: PLUMBLINE_KAFKA_KEY_FILE, value: /run/secrets/kafka-tls/tls.key }
{{- end }}
{{- end }}
{{- if ne $kafka.sasl "none" }}
{{- $secret := required (printf "kafkaSecretName of each process is required with kafka.sasl %s" $kafka.sasl) $own.kafkaSecretName }}
- { name: PLUMBLINE_KAFKA_SASL, value: {{ $kafka.sasl | quote }} }
{{- if $kafka.allowPlaintext }}
- { name: PLUMBLINE_KAFKA_ALLOW_PLAINTEXT, value: 'true' }
{{- end }}
{{- if eq $kafka.sasl "oauthbearer" }}
- { name: PLUMBLINE_KAFKA_OAUTH_TOKEN_URL, value: {{ required "kafka.oauth.tokenUrl is required with kafka.sasl oauthbearer" $kafka.oauth.tokenUrl | quote }} }
{{- if $kafka.oauth.scope }}
- { name: PLUMBLINE_KAFKA_OAUTH_SCOPE, value: {{ $kafka.oauth.scope | quote }} }
{{- end }}
{{ include "plumbline.secretEnv" (list "PLUMBLINE_KAFKA_OAUTH_CLIENT_ID" $secret "client-id") }}
{{ include "plumbline.secretEnv" (list "PLUMBLINE_KAFKA_OAUTH_CLIENT_SECRET" $secret "client-secret") }}
{{- else }}
{{ include "plumbline.secretEnv" (list "PLUMBLINE_KAFKA_USER" $secret "user") }}
{{ include "plumbline.secretEnv" (list "PLUMBLINE_KAFKA_PASSWORD" $secret "password") }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* list root, name of the process: its own variables, quoted. */ -}}
{{- define "plumbline.extraEnv" -}}
{{- $root := index . 0 -}}
{{- range $name, $value := index $root.Values.extraEnv (index . 1) }}
- { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- end -}}

{{- define "plumbline.masterKeyEnv" -}}
- { name: PLUMBLINE_MASTER_KEY_FILE, value: /run/secrets/master-key/{{ .Values.masterKey.key }} }
{{- end -}}

{{- /* Mounts of a process: list root, its section, whether it has the master key. */ -}}
{{- define "plumbline.secretMounts" -}}
{{- $root := index . 0 -}}{{- $own := index . 1 -}}
- { name: tmp, mountPath: /tmp }
{{- if index . 2 }}
- { name: master-key, mountPath: /run/secrets/master-key, readOnly: true }
{{- end }}
{{- if and $root.Values.kafka.tls.enabled $root.Values.kafka.tls.caSecretName }}
- { name: kafka-ca, mountPath: /run/secrets/kafka-ca, readOnly: true }
{{- end }}
{{- if and $root.Values.kafka.tls.enabled $own.kafkaTlsSecretName }}
- { name: kafka-tls, mountPath: /run/secrets/kafka-tls, readOnly: true }
{{- end }}
{{- end -}}

{{- define "plumbline.secretVolumes" -}}
{{- $root := index . 0 -}}{{- $own := index . 1 -}}
- { name: tmp, emptyDir: { sizeLimit: 256Mi } }
{{- if index . 2 }}
- { name: master-key, secret: { secretName: {{ required "masterKey.secretName: name the secret with the key of the deployment" $root.Values.masterKey.secretName | quote }}, defaultMode: 0440 } }
{{- end }}
{{- if and $root.Values.kafka.tls.enabled $root.Values.kafka.tls.caSecretName }}
- { name: kafka-ca, secret: { secretName: {{ $root.Values.kafka.tls.caSecretName | quote }}, defaultMode: 0440 } }
{{- end }}
{{- if and $root.Values.kafka.tls.enabled $own.kafkaTlsSecretName }}
- { name: kafka-tls, secret: { secretName: {{ $own.kafkaTlsSecretName | quote }}, defaultMode: 0440 } }
{{- end }}
{{- end -}}

{{- define "plumbline.clickhouseEnv" -}}
{{- $own := index . 0 -}}
{{- $secret := required (printf "%s.clickhouse.secretName: name the secret with the URL of ClickHouse" (index . 1)) $own.clickhouse.secretName -}}
{{ include "plumbline.secretEnv" (list "CLICKHOUSE_URL" $secret $own.clickhouse.key) }}
{{- end -}}

{{- define "plumbline.podPlacement" -}}
{{- $root := index . 0 -}}{{- $own := index . 1 -}}
serviceAccountName: {{ include "plumbline.name" $root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $own.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $own.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
