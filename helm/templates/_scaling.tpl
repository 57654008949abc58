{{/* Up at once, twice as many or ten more in half a minute; down by a quarter a minute, and only if fewer would have
     done for as long as it takes to see that work is over. */}}
{{- define "posefleet.behavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - {type: Percent, value: 100, periodSeconds: 30}
    - {type: Pods, value: 10, periodSeconds: 30}
scaleDown:
  stabilizationWindowSeconds: {{ .Values.autoscaling.stabilizationSeconds }}
  selectPolicy: Max
  policies:
    - {type: Percent, value: 25, periodSeconds: 60}
    - {type: Pods, value: 1, periodSeconds: 60}
{{- end }}
