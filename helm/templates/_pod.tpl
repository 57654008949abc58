{{/* What all pods have in common. */}}

{{- define "posefleet.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "posefleet.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Limits, with requests that are the same unless they are said: (list resources gpu). */}}
{{- define "posefleet.resources" -}}
{{- $given := index . 0 }}
{{- $limits := deepCopy $given.limits }}
{{- with index . 1 }}{{ $_ := set $limits . 1 }}{{ end }}
limits: {{ toJson $limits }}
requests: {{ mergeOverwrite (deepCopy $limits) ($given.requests | default dict) | toJson }}
{{- end }}

{{/* Probes by files below /ready: (list processes startupSeconds heartbeatSeconds). A heartbeat that was never there
     says nothing, and starting asks for no Redis, so that losing Redis or S3 never fails a pod. */}}
{{- define "posefleet.fileProbes" -}}
{{- $warm := printf "[ $(find /ready -name 'warm-*' | wc -l) -ge %d ]" (index . 0 | int) }}
{{- $ready := printf "[ -e /ready/consuming ] && %s" $warm }}
startupProbe:
  exec: {command: [sh, -c, {{ $warm | quote }}]}
  periodSeconds: 3
  timeoutSeconds: 5
  failureThreshold: {{ div (add (index . 1 | int) 2) 3 }}
readinessProbe:
  exec: {command: [sh, -c, {{ $ready | quote }}]}
  periodSeconds: 10
  timeoutSeconds: 5
{{- include "posefleet.heartbeatProbe" (index . 2) }}
{{- end }}

{{- define "posefleet.heartbeatProbe" -}}
{{- $alive := printf "[ ! -e /ready/heartbeat ] || [ -n \"$(find /ready/heartbeat -newermt '%d seconds ago')\" ]" (int .) }}
livenessProbe:
  exec: {command: [sh, -c, {{ $alive | quote }}]}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 3
  terminationGracePeriodSeconds: 30
{{- end }}

{{/* Probes by HTTP: (list port livePath readyPath startupSeconds); no path looks at the port alone. */}}
{{- define "posefleet.httpProbes" -}}
{{- $look := dict }}
{{- range $name, $path := dict "live" (index . 1) "ready" (index . 2) }}
{{- $_ := set $look $name (empty $path | ternary (dict "tcpSocket" (dict "port" (index $ 0))) (dict "httpGet" (dict "path" $path "port" (index $ 0)))) }}
{{- end }}
startupProbe: {{ merge (dict "periodSeconds" 2 "timeoutSeconds" 5 "failureThreshold" (div (index . 3 | int) 2)) $look.live | toJson }}
livenessProbe: {{ merge (dict "periodSeconds" 15 "timeoutSeconds" 5 "failureThreshold" 3) $look.live | toJson }}
readinessProbe: {{ merge (dict "periodSeconds" 10 "timeoutSeconds" 8) $look.ready | toJson }}
{{- end }}

{{/* Folders that may be written: (list workSize). */}}
{{- define "posefleet.volumes" -}}
- {name: work, emptyDir: {sizeLimit: {{ . }}}}
- {name: cache, emptyDir: {sizeLimit: 1Gi}}
- {name: ready, emptyDir: {sizeLimit: 1Mi}}
- {name: tmp, emptyDir: {sizeLimit: 1Gi}}
{{- end }}

{{- define "posefleet.mounts" -}}
- {name: work, mountPath: /work}
- {name: cache, mountPath: /cache}
- {name: ready, mountPath: /ready}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "posefleet.placement" -}}
{{- $root := index . 0 }}{{ $component := index . 1 }}{{ $values := index . 2 }}
{{- with $values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with $values.affinity }}
affinity: {{ toJson . }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- if $values.topologySpread }}
topologySpreadConstraints:
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "posefleet.selector" (list $root $component) | nindent 8 }}
{{- end }}
{{- end }}
{{- end }}
