{{/* Names and labels. Most take (list root component). */}}
{{- define "posefleet.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "posefleet.name" -}}
{{ include "posefleet.fullname" (index . 0) }}-{{ index . 1 }}
{{- end }}

{{- define "posefleet.selector" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "posefleet.labels" -}}
{{ include "posefleet.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/part-of: posefleet
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{- define "posefleet.metadata" -}}
name: {{ include "posefleet.name" . }}
namespace: {{ (index . 0).Release.Namespace }}
labels: {{- include "posefleet.labels" . | nindent 2 }}
{{- end }}

{{/* The image of a kind, cpu or gpu: by digest where there is one. */}}
{{- define "posefleet.image" -}}
{{- $root := index . 0 }}{{ $kind := index . 1 }}
{{- $digest := get $root.Values.image (printf "%sDigest" $kind) }}
{{- $root.Values.image.repository }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}-{{ $kind }}
{{- with $digest }}@{{ . }}{{ end }}
{{- end }}

{{/* A component's values over those that all have, as JSON. */}}
{{- define "posefleet.merged" -}}
{{- $merged := dict }}
{{- range . }}{{ $merged = mergeOverwrite $merged (deepCopy .) }}{{ end }}
{{- toJson $merged }}
{{- end }}

{{/* A pool's values over poolDefaults over common, as JSON: (list root pool). */}}
{{- define "posefleet.pool" -}}
{{- include "posefleet.merged" (list (index . 0).Values.common (index . 0).Values.poolDefaults (index . 1)) }}
{{- end }}
