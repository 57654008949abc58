{{/* What a schema cannot say: values that do not fit each other. */}}
{{- define "posefleet.checks" -}}
{{- $settings := .Values.settings }}
{{- if not (and (lt (int $settings.task_soft_limit_s) (int $settings.task_limit_s)) (lt (int $settings.task_limit_s) (int $settings.visibility_timeout_s))) }}
{{- fail "settings: task_soft_limit_s must be less than task_limit_s, and that less than visibility_timeout_s" }}
{{- end }}
{{- range $name, $given := .Values.pools }}
{{- $pool := include "posefleet.pool" (list $ $given) | fromJson }}
{{- if has $name (list "api" "sweeper" "poller" "exporter" "flower" "redis" "s3" "settings" "try-out" "test" "tokens" "bucket" "metrics" "alerts" "dashboard") }}
{{- fail (printf "pools.%s: another component has this name; choose another one" $name) }}
{{- end }}
{{- $needed := add (include "posefleet.softSeconds" (list $ $pool) | int) (include "posefleet.taskSeconds" (list $ $pool) | int) }}
{{- if and $pool.graceSeconds (not $pool.spot) (le (int $pool.graceSeconds) (int $needed)) }}
{{- fail (printf "pools.%s.graceSeconds is %v, but soft shutdown and one batch take %v: give more, or 0 to have it worked out" $name $pool.graceSeconds $needed) }}
{{- end }}
{{- if and $pool.spot (gt (include "posefleet.softSeconds" (list $ $pool) | int) 20) }}
{{- fail (printf "pools.%s.spot: a node is gone within 25 s, so settings.soft_shutdown_s of this pool must be 20 or less: leave it out" $name) }}
{{- end }}
{{- if and $pool.gpu (gt (int $pool.concurrency) 4) }}
{{- fail (printf "pools.%s.concurrency must be at most 4 with a GPU, which these processes share: 2 keep it busy, and more GPUs are more pods" $name) }}
{{- end }}
{{- if gt (int $pool.minReplicas) (int $pool.maxReplicas) }}
{{- fail (printf "pools.%s.minReplicas is more than its maxReplicas" $name) }}
{{- end }}
{{- end }}
{{- if and .Values.poller.queueUrl (not $settings.watch) }}
{{- fail "poller.queueUrl needs settings.watch, such as s3://bucket/prefix/: nothing else is taken" }}
{{- end }}
{{- $queues := list }}
{{- range .Values.pools }}{{ $pool := include "posefleet.pool" (list $ .) | fromJson }}{{ if $pool.enabled }}{{ $queues = concat $queues $pool.queues }}{{ end }}{{ end }}
{{- range list "plan" "infer" "stitch" "render" "publish" }}
{{- if not (has . $queues) }}
{{- fail (printf "no pool that is enabled takes the queue %s: jobs would wait for ever; enable one" .) }}
{{- end }}
{{- end }}
{{- end }}
