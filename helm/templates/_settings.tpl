{{/* What POSEFLEET_<NAME> says, and where secrets come from. */}}

{{/* Name of the Secret of try-out servers. */}}
{{- define "posefleet.tryOutSecret" -}}
{{ include "posefleet.name" (list . "try-out") }}
{{- end }}

{{- define "posefleet.redisSecret" -}}
{{ .Values.redis.existingSecret | default (include "posefleet.tryOutSecret" .) }}
{{- end }}

{{- define "posefleet.s3Secret" -}}
{{- if .Values.s3.existingSecret }}{{ .Values.s3.existingSecret }}
{{- else if .Values.s3.tryOut.enabled }}{{ include "posefleet.tryOutSecret" . }}{{ end }}
{{- end }}

{{- define "posefleet.flowerSecret" -}}
{{ .Values.flower.existingSecret | default (include "posefleet.tryOutSecret" .) }}
{{- end }}

{{- define "posefleet.tokensSecret" -}}
{{ .Values.api.tokensSecret | default (include "posefleet.name" (list . "tokens")) }}
{{- end }}

{{/* All settings but secrets, as JSON: the values' and those that the chart decides. */}}
{{- define "posefleet.settings" -}}
{{- $decided := dict "cache_dir" "/cache" "data_dir" "/work" "ready_dir" "/ready" "metrics_host" "0.0.0.0" "api_tokens" "/tokens/tokens.json" }}
{{- $settings := mergeOverwrite (deepCopy .Values.settings) $decided }}
{{- if and .Values.s3.tryOut.enabled (not $settings.s3_endpoint) }}
{{- $_ := set $settings "s3_endpoint" (printf "http://%s:8333" (include "posefleet.name" (list . "s3"))) }}
{{- end }}
{{- toJson $settings }}
{{- end }}

{{/* Settings as a ConfigMap's data. Numbers as JSON, as Go would write 1e+07. */}}
{{- define "posefleet.data" -}}
{{- range $name, $value := . }}
POSEFLEET_{{ upper $name }}: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end }}
{{- end }}

{{/* One variable from a Secret: (list variable secret key). */}}
{{- define "posefleet.fromSecret" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef: {name: {{ index . 1 }}, key: {{ index . 2 }}}
{{- end }}

{{/* Of all our components. */}}
{{- define "posefleet.redisVariables" -}}
{{ include "posefleet.fromSecret" (list "POSEFLEET_REDIS_URL" (include "posefleet.redisSecret" .) .Values.redis.key) }}
{{- end }}

{{/* Of those that use storage; none with workload identity. */}}
{{- define "posefleet.s3Variables" -}}
{{- with include "posefleet.s3Secret" . }}
{{- include "posefleet.fromSecret" (list "POSEFLEET_S3_ACCESS_KEY_ID" . $.Values.s3.accessKeyIdKey) }}
{{ include "posefleet.fromSecret" (list "POSEFLEET_S3_SECRET_ACCESS_KEY" . $.Values.s3.secretAccessKeyKey) }}
{{- end }}
{{- end }}

{{/* Signs webhooks: of the API, which refuses them without, and of the sweeper, which sends them. */}}
{{- define "posefleet.webhookSecret" -}}
{{- with .Values.webhook.existingSecret }}
{{- include "posefleet.fromSecret" (list "POSEFLEET_WEBHOOK_SECRET" . $.Values.webhook.key) }}
{{- end }}
{{- end }}

{{/* Settings of a pool that differ from everybody's, as JSON: (list root pool). */}}
{{- define "posefleet.poolSettings" -}}
{{- $pool := index . 1 }}
{{- $settings := deepCopy $pool.settings }}
{{- if and $pool.spot (not (hasKey $settings "soft_shutdown_s")) }}{{ $_ := set $settings "soft_shutdown_s" 15 }}{{ end }}
{{- toJson $settings }}
{{- end }}

{{/* Seconds that a pool's workers finish their tasks in after SIGTERM, and of its longest task: (list root pool). */}}
{{- define "posefleet.softSeconds" -}}
{{- $own := include "posefleet.poolSettings" . | fromJson }}
{{- (hasKey $own "soft_shutdown_s" | ternary $own.soft_shutdown_s (index . 0).Values.settings.soft_shutdown_s) | ceil | int }}
{{- end }}

{{- define "posefleet.taskSeconds" -}}
{{- $settings := (index . 0).Values.settings }}{{ $queues := (index . 1).queues }}
{{- $whole := or (has "plan" $queues) (has "stitch" $queues) (has "publish" $queues) }}
{{- $longest := $whole | ternary (max $settings.task_limit_s (mulf 0.95 $settings.visibility_timeout_s | int)) $settings.task_limit_s }}
{{- $longest | int }}
{{- end }}

{{/* terminationGracePeriodSeconds: longer than the soft shutdown and one batch; short on nodes that are taken away. */}}
{{- define "posefleet.grace" -}}
{{- $pool := index . 1 }}
{{- $needed := add (include "posefleet.softSeconds" . | int) (include "posefleet.taskSeconds" . | int) 10 }}
{{- if $pool.spot }}25{{ else }}{{ $pool.graceSeconds | default $needed | int }}{{ end }}
{{- end }}
