{{/* Objects that several components have. All take (list root component …). */}}

{{- define "posefleet.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata: {{- include "posefleet.metadata" . | nindent 2 }}
  {{- with (index . 2).serviceAccountAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}

{{/* (list root component port-name port). */}}
{{- define "posefleet.service" -}}
apiVersion: v1
kind: Service
metadata: {{- include "posefleet.metadata" . | nindent 2 }}
spec:
  selector: {{- include "posefleet.selector" . | nindent 4 }}
  ports:
    - {name: {{ index . 2 }}, port: {{ index . 3 }}, targetPort: {{ index . 2 }}}
{{- end }}

{{- define "posefleet.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "posefleet.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ (index . 0).Values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "posefleet.selector" . | nindent 6 }}
{{- end }}

{{/* Pods of other components of this release as peers: (list root component …). */}}
{{- define "posefleet.peers" -}}
{{- $root := index . 0 }}
{{- $peers := list }}
{{- range rest . }}
{{- $peers = append $peers (dict "podSelector" (dict "matchLabels" (include "posefleet.selector" (list $root .) | fromYaml))) }}
{{- end }}
{{- toJson $peers }}
{{- end }}

{{/* (list root component ingress egress storage): rules as JSON lists; egress beyond DNS, Redis and, with storage, S3. */}}
{{- define "posefleet.networkPolicy" -}}
{{- $root := index . 0 }}{{ $policy := $root.Values.networkPolicy }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{- include "posefleet.metadata" . | nindent 2 }}
spec:
  podSelector:
    matchLabels: {{- include "posefleet.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress: {{ index . 2 }}
  egress:
    - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
    {{- $redis := $root.Values.redis.tryOut.enabled | ternary (include "posefleet.peers" (list $root "redis")) (toJson $policy.redisTo) }}
    {{- include "posefleet.egress" (list $redis ($root.Values.redis.tryOut.enabled | ternary (list 6379) $policy.redisPorts)) | nindent 4 }}
    {{- if index . 4 }}
    {{- $s3 := $root.Values.s3.tryOut.enabled | ternary (include "posefleet.peers" (list $root "s3")) (toJson $policy.s3To) }}
    {{- include "posefleet.egress" (list $s3 ($root.Values.s3.tryOut.enabled | ternary (list 8333) $policy.s3Ports)) | nindent 4 }}
    {{- end }}
    {{- range concat (index . 3 | fromJsonArray) $policy.extraEgress }}
    - {{ toJson . }}
    {{- end }}
{{- end }}

{{/* (list peers-as-JSON ports). */}}
{{- define "posefleet.egress" -}}
- ports: [{{ range $i, $port := index . 1 }}{{ if $i }}, {{ end }}{port: {{ $port }}, protocol: TCP}{{ end }}]
  {{- if ne (index . 0) "[]" }}
  to: {{ index . 0 }}
  {{- end }}
{{- end }}

{{/* Ingress to a port from peers, as a JSON list; nobody when there are none: (list port peers). */}}
{{- define "posefleet.ingress" -}}
{{- if index . 1 }}{{ list (dict "from" (index . 1) "ports" (list (dict "port" (index . 0) "protocol" "TCP"))) | toJson }}
{{- else }}[]{{ end }}
{{- end }}
