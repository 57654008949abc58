{{/* The Deployment of a component, from a dict:
     root, component, values (merged), image (cpu or gpu), command, args, ports (name: number), probes (YAML), and,
     where there are any: replicas, grace, configMaps (beside everybody's), env (YAML), storage (it uses S3 and models), gpu, volumes, mounts. */}}
{{- define "posefleet.deployment" -}}
{{- $name := list .root .component }}
{{- $image := include "posefleet.image" (list .root .image) }}
apiVersion: apps/v1
kind: Deployment
metadata: {{- include "posefleet.metadata" $name | nindent 2 }}
spec:
  {{- if hasKey . "replicas" }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: {{ empty .gpu | ternary "25%" 0 }}, maxUnavailable: 25%}
  selector:
    matchLabels: {{- include "posefleet.selector" $name | nindent 6 }}
  template:
    metadata:
      labels: {{- include "posefleet.labels" $name | nindent 8 }}
      annotations:
        checksum/config: {{ include "posefleet.checksum" . }}
        {{- range $key, $value := .values.podAnnotations }}
        {{ $key }}: {{ $value | quote }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "posefleet.name" $name }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with .root.Values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . }}
        {{- end }}
      {{- end }}
      terminationGracePeriodSeconds: {{ .grace | default 30 }}
      securityContext: {{- include "posefleet.podSecurity" 10001 | nindent 8 }}
      {{- with include "posefleet.placement" (list .root .component .values) | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- if .storage }}
      initContainers:
        - name: models
          image: {{ $image }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          command: [cp, -R, {{ printf "%s/." .root.Values.image.cachePath }}, /cache]
          securityContext: {{- include "posefleet.containerSecurity" . | nindent 12 }}
          resources: {limits: {cpu: "1", memory: 256Mi}, requests: {cpu: 100m, memory: 64Mi}}
          volumeMounts:
            - {name: cache, mountPath: /cache}
      {{- end }}
      containers:
        - name: {{ .container | default .component }}
          image: {{ $image }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          command: {{ toJson .command }}
          {{- with .args }}
          args: {{ toJson . }}
          {{- end }}
          envFrom:
            {{- range prepend (.configMaps | default list) "settings" }}
            - configMapRef: {name: {{ include "posefleet.name" (list $.root .) }}}
            {{- end }}
          env:
            {{- include "posefleet.redisVariables" .root | nindent 12 }}
            {{- if .storage }}{{ with include "posefleet.s3Variables" .root }}{{ . | nindent 12 }}{{ end }}{{ end }}
            {{- with .env }}
            {{- trim . | nindent 12 }}
            {{- end }}
            {{- with .values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- with .ports }}
          ports:
            {{- range $port, $number := . }}
            - {name: {{ $port }}, containerPort: {{ $number }}}
            {{- end }}
          {{- end }}
          {{- trim .probes | nindent 10 }}
          resources: {{- include "posefleet.resources" (list .values.resources .gpu) | trim | nindent 12 }}
          securityContext: {{- include "posefleet.containerSecurity" . | nindent 12 }}
          volumeMounts:
            {{- include "posefleet.mounts" . | nindent 12 }}
            {{- with .mounts }}
            {{- trim . | nindent 12 }}
            {{- end }}
            {{- with .values.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        {{- include "posefleet.volumes" .values.workSize | nindent 8 }}
        {{- with .volumes }}
        {{- trim . | nindent 8 }}
        {{- end }}
        {{- with .values.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
{{- end }}

{{/* Of everything that a pod reads when it starts. */}}
{{- define "posefleet.checksum" -}}
{{- $values := .root.Values }}
{{- $secrets := list (include "posefleet.redisVariables" .root) (include "posefleet.s3Variables" .root) (include "posefleet.webhookSecret" .root) }}
{{- list (include "posefleet.settings" .root) (.values.settings | default dict) $secrets | toJson | sha256sum }}
{{- end }}
